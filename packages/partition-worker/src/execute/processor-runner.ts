import {
  PROCESSOR_BUDGET_MS,
  PROCESSOR_ERROR_CHARACTERS_MAX,
  TTL_MS_MAX,
  VALUE_BYTES_MAX,
} from '@tidewire/core';
import { OperationExtension, RecordLayout } from '@tidewire/core/threads';
import { ValueKind } from '@tidewire/schemas';
import { ABSENT } from '../store/record-store.js';
import { nowOf } from './operation.js';
import type {
  Change,
  GroupContext,
  NamedProcessor,
  ProcessedRecord,
  ProcessorContext,
} from './processor.js';
import { argumentOf, extensionOf, keyOf, valueBytesOf } from './request-fields.js';

/** What a processor's run has come to. */
export type Processed =
  | { readonly kind: 'PUT'; readonly value: Uint8Array; readonly ttlMs: number }
  | { readonly kind: 'REMOVE' }
  | { readonly kind: 'NOTHING' }
  | Failed;

interface Failed {
  readonly kind: 'FAILED';
  readonly reason: string;
}

/** What the run of a group's processor has come to, for each record. */
export type ProcessedGroup = { readonly kind: 'CHANGES'; readonly changes: Processed[] } | Failed;

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

/** Runs the processors that operations name, each within its time. */
export class ProcessorRunner {
  readonly #processors: readonly NamedProcessor[];
  readonly #monotonicMs: () => number;

  /** `monotonicMs` measures how long a run takes; nothing else depends on it. */
  constructor(processors: readonly NamedProcessor[], monotonicMs: () => number) {
    this.#processors = processors;
    this.#monotonicMs = monotonicMs;
  }

  /** Name of the processor that the EXECUTE operation asks for; undefined: there is none. */
  nameFor(request: Int32Array, at: number): string | undefined {
    return this.#processorOf(request, at)?.name;
  }

  /** Runs what the EXECUTE operation names on the record that is visible to it, or ABSENT. */
  run(request: Int32Array, at: number, records: Int32Array, record: number): Processed {
    const context: ProcessorContext = {
      key: decoder.decode(keyOf(request, at)),
      nowMs: nowOf(request, at),
    };
    return this.#run(
      request,
      at,
      ({ run }, argument) => run(recordOf(records, record), argument, context),
      (name, change) => processedOf(name, change as Change),
    );
  }

  /** The same on several records, each visible or ABSENT, with these keys. */
  runGroup(
    request: Int32Array,
    at: number,
    records: Int32Array,
    group: readonly number[],
    keys: readonly string[],
  ): ProcessedGroup {
    const context: GroupContext = { keys, nowMs: nowOf(request, at) };
    return this.#run(
      request,
      at,
      ({ run }, argument) =>
        run(
          group.map((record) => recordOf(records, record)),
          argument,
          context,
        ),
      (name, changes) => processedGroupOf(name, changes as GroupChanges, group.length),
    );
  }

  #processorOf(request: Int32Array, at: number): NamedProcessor | undefined {
    return this.#processors[request[extensionOf(request, at) + OperationExtension.KEEP]];
  }

  /** `call` counts against the time, `read` of what it has returned may throw as well. */
  #run<T>(
    request: Int32Array,
    at: number,
    call: (processor: NamedProcessor, argument: unknown) => unknown,
    read: (name: string, returned: unknown) => T,
  ): T | Failed {
    const processor = this.#processorOf(request, at);
    if (processor === undefined) return failed('There is no such processor.');
    const { name } = processor;
    const beganMs = this.#monotonicMs();
    try {
      const returned = call(processor, jsonOf(argumentOf(request, at)));
      const tookMs = this.#monotonicMs() - beganMs;
      if (tookMs <= PROCESSOR_BUDGET_MS) return read(name, returned);
      return failed(`${name} took ${Math.ceil(tookMs)} ms, limit ${PROCESSOR_BUDGET_MS}.`);
    } catch (error) {
      return failed(`${name} threw ${sentenceOf(error)}`);
    }
  }
}

type GroupChanges = readonly Change[] | undefined;

function processedGroupOf(name: string, changes: GroupChanges, count: number): ProcessedGroup {
  if (changes === undefined) return { kind: 'CHANGES', changes: [] };
  if (!Array.isArray(changes) || changes.length !== count)
    return failed(`${name} returned no array of ${count} changes, one for each record.`);
  const processed = changes.map((change) => processedOf(name, change));
  return processed.find(isFailed) ?? { kind: 'CHANGES', changes: processed };
}

function isFailed(processed: Processed): processed is Failed {
  return processed.kind === 'FAILED';
}

function processedOf(name: string, change: Change): Processed {
  if (change === undefined) return { kind: 'NOTHING' };
  if ('remove' in change) return { kind: 'REMOVE' };
  if (!('put' in change))
    return failed(`${name} returned neither { put } nor { remove } nor undefined.`);
  const text: string | undefined = JSON.stringify(change.put);
  if (text === undefined) return failed(`What ${name} puts has no JSON form.`);
  const value = encoder.encode(text);
  if (value.length > VALUE_BYTES_MAX)
    return failed(`What ${name} puts has ${value.length} bytes, limit ${VALUE_BYTES_MAX}.`);
  const { ttlMs = 0 } = change;
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 0 || ttlMs > TTL_MS_MAX)
    return failed(`The ttlMs of ${ttlMs} from ${name} is not 1 to ${TTL_MS_MAX}, whole.`);
  return { kind: 'PUT', value, ttlMs };
}

function recordOf(records: Int32Array, record: number): ProcessedRecord | undefined {
  if (record === ABSENT) return undefined;
  const bytes = valueBytesOf(records, record);
  const isJson = RecordLayout.valueKindOf(records, record) === ValueKind.JSON;
  return {
    value: isJson ? jsonOf(bytes) : bytes,
    stampMs: RecordLayout.stampMsOf(records, record),
    expiresAtMs: RecordLayout.expiresAtOf(records, record),
  };
}

function jsonOf(bytes: Uint8Array): unknown {
  return bytes.length === 0 ? undefined : JSON.parse(decoder.decode(bytes));
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function failed(reason: string): Failed {
  return { kind: 'FAILED', reason: reason.slice(0, PROCESSOR_ERROR_CHARACTERS_MAX) };
}
