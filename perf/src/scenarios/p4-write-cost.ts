import { LoadBench, serverMicrosPerOperation } from '../measure/load-bench.js';
import type { Scenario } from '../measure/scenario.js';
import { echoTarget, tidewireTarget } from '../measure/targets.js';

/** All threads of the server; the database's processes are reported apart in the notes. */
export const writeCost: Scenario = {
  id: 'P4',
  title: "server CPU per FAST write under P1's load ÷ raw uWebSockets echo of the same frames",
  unit: 'µs',
  bar: 4,
  goal: 2,
  better: 'lower',
  open: (context) =>
    LoadBench.open(
      { ours: () => tidewireTarget({ subscribers: 1 }), theirs: () => echoTarget({}) },
      serverMicrosPerOperation,
      context,
    ),
};
