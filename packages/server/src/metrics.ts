import { Code } from '@tidewire/core';
import { DURATION_BOUNDS, type Durations, type Gateway } from '@tidewire/gateway';
import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import type { Facts } from './status.js';

/** What is told of one series. */
interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NO_LABELS = {};

/**
 * The numbers of a server in the text format of Prometheus. Nothing is counted here: they are read where
 * they are kept, when somebody asks.
 */
export class Metrics {
  readonly #registry: Registry = new Registry();

  constructor(sources: { gateway: Gateway; facts: () => Facts }) {
    this.#addStages(sources.gateway.telemetry.stages);
    this.#addStore(sources.facts);
    this.#addConnections(sources.gateway);
    this.#addOperations(sources.gateway);
    this.#addSubscriptions(sources.gateway);
    this.#addProcess();
  }

  get type(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #addStages(stages: Gateway['telemetry']['stages']): void {
    const { intake, worker, send, flush } = stages;
    const name = 'tidewire_stage_seconds';
    const help =
      'Time of a stage, sampled: intake (a frame into the rings), worker (a request in its ring and ' +
      'its execution), send (answers and events to the sockets), flush (a change to the database)';
    const metric = {
      name,
      get: async () => ({
        name,
        help,
        type: 'histogram',
        aggregator: 'sum',
        values: Object.entries({ intake, worker, send, flush }).flatMap(([stage, durations]) =>
          bucketsOf(name, stage, durations),
        ),
      }),
    };
    // prom-client's own would count each value anew; the registry asks for no more than this.
    this.#registry.registerMetric(metric as unknown as Metric);
  }

  #addStore(facts: () => Facts): void {
    this.#gauge('records', 'Records in memory, tombstones included', () => facts().records);
    this.#gauge('memory_bytes', 'Memory of records in use', () => facts().bytes);
    this.#gauge('memory_limit_bytes', 'Memory that records may take', () => facts().bytesLimit);
    this.#gauge('dirty_records', 'Changes that the database does not have', () => facts().dirty);
    this.#gauge(
      'flush_lag_seconds',
      'Age of the oldest change that the database does not have, at most',
      () => {
        return facts().flushLagMs / 1000;
      },
    );
    this.#gauge('database_up', '1: the database answers', () =>
      facts().database === 'up' ? 1 : 0,
    );
    this.#gauge('epoch', 'Number of this start', () => facts().epoch);
  }

  #addConnections(gateway: Gateway): void {
    const { admission } = gateway;
    const { counters } = gateway.telemetry;
    this.#gauge('connections', 'Connections', () => admission.connections);
    this.#gauge('strangers', 'Of them, those without Hello', () => admission.strangers);
    this.#counter('turned_away', 'Newcomers turned away by a limit', () => admission.turnedAway);
    this.#counters('closed_connections', 'Connections that the server closed, by code', () =>
      byCode(counters.closings),
    );
    this.#counter('frames', 'Frames taken', () => counters.frames);
  }

  #addOperations(gateway: Gateway): void {
    const { counters } = gateway.telemetry;
    this.#counter('operations', 'Operations sent to workers', () => counters.operations);
    this.#counters('refusals', 'Operations refused, by code', () => byCode(counters.refusals));
    this.#gauge('outstanding', 'Operations that workers owe', () => gateway.outstanding);
    this.#gauge('safe_waiting', 'SAFE results that wait for the database', () => gateway.waiting);
    this.#gauges('ring_occupancy_ratio', 'How full the request ring of a worker is', () =>
      byWorker(gateway.telemetry.ringOccupancy),
    );
    this.#gauges('outbound_ring_occupancy_ratio', 'How full what a worker answers in is', () =>
      byWorker(gateway.outboundOccupancy),
    );
  }

  #addSubscriptions(gateway: Gateway): void {
    const counts = (): Gateway['subscriptionCounts'] => gateway.subscriptionCounts;
    this.#gauge('subscriptions', 'Subscriptions', () => counts().subscriptions);
    this.#gauge('topics', 'What they are of, each once', () => counts().topics);
    this.#gauge('lagging', 'Subscribers that read too slowly', () => counts().lagging);
    this.#gauge('catching_up', 'Subscribers that are sent what they missed', () => {
      return counts().catchingUp;
    });
    this.#counter('lags', 'Times that a subscriber read too slowly', () => counts().lags);
    this.#counter('catch_ups', 'Catch-ups begun', () => counts().catchUps);
    this.#counter('conflated_events', 'Events that a later one replaced', () => {
      return counts().conflated;
    });
    this.#gauge('querying', 'Sessions with a query under way', () => gateway.querying);
  }

  #addProcess(): void {
    this.#gauge('resident_bytes', 'Resident memory of the process', () =>
      process.memoryUsage.rss(),
    );
    this.#counter('cpu_seconds', 'CPU time of the process', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
  }

  #gauge(name: string, help: string, read: () => number): void {
    this.#gauges(name, help, () => [{ labels: NO_LABELS, value: read() }]);
  }

  #gauges(name: string, help: string, read: () => readonly Series[]): void {
    const gauge = new Gauge({
      ...this.#named(name, help, read),
      collect: () => {
        gauge.reset();
        for (const { labels, value } of read()) gauge.set(labels, value);
      },
    });
  }

  #counter(name: string, help: string, read: () => number): void {
    this.#counters(name, help, () => [{ labels: NO_LABELS, value: read() }]);
  }

  #counters(name: string, help: string, read: () => readonly Series[]): void {
    const counter = new Counter({
      ...this.#named(`${name}_total`, help, read),
      collect: () => {
        counter.reset();
        for (const { labels, value } of read()) counter.inc(labels, value);
      },
    });
  }

  #named(name: string, help: string, read: () => readonly Series[]) {
    const labelNames = [...new Set(read().flatMap(({ labels }) => Object.keys(labels)))];
    return { name: `tidewire_${name}`, help, labelNames, registers: [this.#registry] };
  }
}

function byWorker(values: readonly number[]): Series[] {
  return values.map((value, worker) => ({ labels: { worker: `${worker}` }, value }));
}

/** Every code that has been told, and those that matter most from the start. */
function byCode(counts: Float64Array): Series[] {
  const shown: ReadonlySet<number> = new Set([Code.OVERLOADED, Code.TOO_LARGE, Code.SLOW_CONSUMER]);
  return Array.from(counts, (value, code) => ({ code, value }))
    .filter(({ code, value }) => value > 0 || shown.has(code))
    .map(({ code, value }) => ({ labels: { code: Code[code] ?? `${code}` }, value }));
}

function bucketsOf(name: string, stage: string, { counts, seconds }: Durations): object[] {
  let sum = 0;
  const buckets = Array.from(counts, (count, i) => {
    sum += count;
    const le = i < DURATION_BOUNDS.length ? DURATION_BOUNDS[i] : '+Inf';
    return { metricName: `${name}_bucket`, labels: { stage, le }, value: sum };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: { stage }, value: seconds },
    { metricName: `${name}_count`, labels: { stage }, value: sum },
  ];
}
