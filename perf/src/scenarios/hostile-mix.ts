import { setTimeout as sleep } from 'node:timers/promises';
import { SESSION_HARD_BYTES } from '@tidewire/core';
import { HostileClient } from '../hostile/hostile-client.js';
import type { AttackReport } from '../hostile/hostile-plan.js';
import { LoadClient } from '../load/load-client.js';
import { type LoadReport, runOf } from '../load/plan.js';
import { faultsOf, remarksOf } from '../measure/accounting.js';
import { Issuer } from '../measure/issuer.js';
import { describeLatency, percentileOf } from '../measure/latency-figure.js';
import { cpuSecondsOf, describeCpu, residentBytesOf } from '../measure/process-cpu.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';

/** Honest: 8 connections, 2,000 writes a second in all, one subscriber of the map. */
const RATE = 2000;
const HONEST = { connections: 8, window: 256, keys: 10_000, subscribers: 1 };
/** What an operator sets where strangers may come. */
const LIMITS = [
  'connections-per-address=300',
  'strangers-per-address=60',
  'operations-per-second=2000',
  'bytes-per-second=500000',
  'offences-per-address=100',
];
const HOSTILE_HOST = 66;
const STALLED = 4;
const MEMORY = '256M';
/** What the process may grow by for the connections above, beside the buffers of those that stall. */
const SLACK_BYTES: number = 96 * 1024 * 1024;
const LOOK_MS = 100;
/** Until all attacks are under way, and then until their connections are gone. */
const ATTACK_MS = 2000;
const CALM_MS = 4000;

/**
 * Honest clients by the clock, alone (theirs) and beside a process that attacks the same server in
 * every way of attacks.ts (ours). What became of the attacks is a table in the notes.
 */
export const hostileMix: Scenario = {
  id: 'hostile',
  title: `p99 of ${RATE} honest writes/s beside a hostile mix ÷ without it`,
  unit: 'µs',
  bar: 3,
  goal: 1.5,
  better: 'lower',
  isByNameOnly: true,
  open: (context) => HostileBench.open(context),
};

class HostileBench implements Bench {
  readonly #target: TidewireTarget;
  readonly #client: LoadClient;
  readonly #issuer: Issuer;
  readonly #context: Context;
  /** Attacks by tokens that were answered that these are none: later they are not even let in. */
  readonly #refuted: Set<string> = new Set();

  private constructor(
    target: TidewireTarget,
    client: LoadClient,
    issuer: Issuer,
    context: Context,
  ) {
    this.#target = target;
    this.#client = client;
    this.#issuer = issuer;
    this.#context = context;
  }

  static async open(context: Context): Promise<HostileBench> {
    const issuer = await Issuer.open();
    const flags = [...issuer.flags, '--memory', MEMORY, '--limit', LIMITS.join(',')];
    const shape = { ...HONEST, token: issuer.mint.valid() };
    const target = await tidewireTarget(shape, { flags, writesBehind: false });
    try {
      return new HostileBench(target, await LoadClient.open(target.plan), issuer, context);
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    const { port } = this.#target.plan;
    if (side === 'theirs') {
      const load = await this.#run();
      return { value: percentileOf(load, 99), notes: [], faults: this.#faults(load), load };
    }
    const before = residentBytesOf(this.#target.pid);
    const tokens = { ...this.#issuer.mint.bad(), valid: this.#issuer.mint.valid() };
    const hostile = await HostileClient.begin({ port, firstHost: HOSTILE_HOST, tokens });
    await sleep(ATTACK_MS);
    const peak = this.#watchMemory();
    const load = await this.#run(hostile.pid);
    const growth = peak() - before;
    const reports = await hostile.end();
    await sleep(CALM_MS);
    return {
      value: percentileOf(load, 99),
      notes: [
        ...this.#notes(load, hostile.pid),
        attackersNote(load, hostile.pid),
        memoryNote(growth),
        ...tableOf(reports),
      ],
      faults: [...this.#faults(load), ...growthFaults(growth), ...this.#attackFaults(reports)],
      load,
    };
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#target.stop();
    await this.#issuer.close();
  }

  #run(...others: readonly number[]): Promise<LoadReport> {
    const { settleMs, measureMs } = this.#context;
    const watch = [this.#target.pid, ...others];
    return this.#client.run({ ...runOf(0), settleMs, measureMs, rate: RATE, watch });
  }

  #notes(load: LoadReport, attacker: number): string[] {
    const own = load.cpu.filter(({ process }) => process !== attacker);
    const cpu = describeCpu(own, this.#target.pid, load.seconds);
    return [describeLatency(load), `server CPU: ${cpu}`, ...remarksOf(load)];
  }

  /** No honest operation may be refused. */
  #faults(load: LoadReport): string[] {
    const { refused } = load.account;
    const own = refused > 0 ? [`${refused} honest operations were refused`] : [];
    return [...faultsOf(load, this.#target.plan), ...own];
  }

  /** A bad token is never welcome, and the first ones are told so. */
  #attackFaults(reports: readonly AttackReport[]): string[] {
    return reports.flatMap(({ name, calls, ends }) => {
      if (calls === 0) return [`there were no ${name}`];
      if (!/token|key/.test(name)) return [];
      if ((ends['4025'] ?? 0) > 0) this.#refuted.add(name);
      const wrong = Object.keys(ends).filter(
        (end) => ends[end] > 0 && !['4025', '503', 'cut', 'open'].includes(end),
      );
      if (wrong.length > 0) return [`${name} ended by ${wrong.join(', ')}`];
      return this.#refuted.has(name) ? [] : [`${name} were never refuted`];
    });
  }

  /** The function returned tells the most that was resident. */
  #watchMemory(): () => number {
    const { pid } = this.#target;
    let peak = residentBytesOf(pid);
    const timer = setInterval(() => {
      peak = Math.max(peak, residentBytesOf(pid));
    }, LOOK_MS);
    return () => {
      clearInterval(timer);
      return peak;
    };
  }
}

const CAP: number = STALLED * SESSION_HARD_BYTES + SLACK_BYTES;

/** They have the machine in common with the server, which the quiet side has to itself. */
function attackersNote({ cpu, seconds }: LoadReport, pid: number): string {
  const share = Math.round((100 * cpuSecondsOf(cpu, pid)) / seconds);
  return `the attackers took ${share} % of a core of the same machine`;
}

function memoryNote(growth: number): string {
  const grown = Math.round(growth / 1e6);
  return `resident memory grew by ${grown} MB at most, the cap is ${Math.round(CAP / 1e6)} MB`;
}

function growthFaults(growth: number): string[] {
  return growth <= CAP ? [] : [memoryNote(growth)];
}

function tableOf(reports: readonly AttackReport[]): string[] {
  const total = reports.reduce((sum, { callers }) => sum + callers, 0);
  const head = ['attack', 'at once', 'calls', 'MB sent', 'ends'];
  const rows = reports.map(({ name, callers, calls, bytes, ends }) => [
    name,
    `${callers}`,
    `${calls}`,
    (bytes / 1e6).toFixed(1),
    Object.entries(ends)
      .filter(([, count]) => count > 0)
      .map(([end, count]) => `${end} × ${count}`)
      .join(', '),
  ]);
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const lines = all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  );
  return [...lines, `${total} hostile connections at once, each attack from an address of its own`];
}
