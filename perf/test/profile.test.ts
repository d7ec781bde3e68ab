import t from 'tap';
import { type CpuProfile, costsOf, framesOf } from '#lib/profile/cpu-profile.js';
import { flameGraph } from '#lib/profile/flame-graph.js';
import { historyPage } from '#lib/report/history-page.js';
import { linePlot } from '#lib/report/plot.js';
import { SCENARIOS } from '#lib/scenarios/catalogue.js';

const frame = (functionName: string, url = ''): CpuProfile['nodes'][number]['callFrame'] => ({
  functionName,
  url,
  lineNumber: 0,
});

/** root → run → [put, wait], and put again below another caller. */
const PROFILE: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 5] },
    { id: 2, callFrame: frame('run', 'file:///a/worker.js'), children: [3, 4] },
    { id: 3, callFrame: frame('put', 'file:///a/<store>.js') },
    { id: 4, callFrame: frame('wait') },
    { id: 5, callFrame: frame('other', 'file:///a/other.js'), children: [6] },
    { id: 6, callFrame: frame('put', 'file:///a/<store>.js') },
  ],
  samples: [3, 4, 2, 6, 3],
  timeDeltas: [100, 1000, 50, 25, 100],
};

t.test('PERF-77: a profile counts own time by function, and waiting apart', async (t) => {
  const { root, waitingMicros } = framesOf(PROFILE);
  t.equal(waitingMicros, 1000);
  t.equal(root.totalMicros, 275);
  const costs = costsOf(root).filter(({ micros }) => micros > 0);
  t.same(costs, [
    { name: 'put (<store>.js)', micros: 225 },
    { name: 'run (worker.js)', micros: 50 },
  ]);
});

t.test('PERF-78: a flame graph is one SVG that needs nothing else', async (t) => {
  const svg = flameGraph(framesOf(PROFILE).root, 'worker & co');
  t.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  t.notMatch(svg.replace('xmlns="http://www.w3.org/2000/svg"', ''), /https?:|<script|href/);
  t.match(svg, /worker &amp; co/);
  t.match(svg, /<title>put \(&lt;store&gt;\.js\): 72\.7 %<\/title>/);
});

t.test(
  'PERF-79: plots have round ticks, and recorded runs are drawn with bar and goal',
  async (t) => {
    const points = [1, 2, 3].map((x) => [x, 868_123 * x] as const);
    const series = [{ name: 'ours', points }];
    const svg = linePlot({ title: 'by round', xLabel: 'round', yLabel: 'writes/s', series });
    t.match(svg, />1 M</);
    t.match(svg, />3 M</);
    t.notMatch(svg, />1\.5</, 'rounds are whole numbers');
    const environment = { commit: 'c', cpu: 'x', cores: 2, node: 'v', platform: 'p', peers: {} };
    const result = { id: 'P1', ours: 1, theirs: 2, ratio: 0.5, unit: 'writes/s', pass: true };
    const entry = { at: '2026-01-01T00:00:00Z', environment, results: [result] };
    const page = historyPage([entry, entry], SCENARIOS);
    t.match(page, /P1, higher is better/);
    t.match(page, /bar 0\.4/);
    t.match(page, /goal 1</);
  },
);
