import { allocateSharedMemory, storeWord, WorkerControl } from '@tidewire/core/threads';
import t from 'tap';
import { FlushLag } from '#lib/flush-lag.js';

class Scene {
  readonly #control = allocateSharedMemory({ workers: 1, arenaBytes: 64 }).workers[0].control;
  readonly lag = new FlushLag(this.#control, 0);

  set(counters: { changes: number; flushed: number; whole: number }): void {
    const words = new Int32Array(this.#control);
    storeWord(words, WorkerControl.CHANGES, counters.changes);
    storeWord(words, WorkerControl.CHANGES_FLUSHED, counters.flushed);
    storeWord(words, WorkerControl.CHANGES_WHOLE, counters.whole);
  }
}

t.test('WB-67: the lag is the age of the oldest change, not of the load', async (t) => {
  const scene = new Scene();
  for (let i = 1; i <= 1000; i++) {
    scene.set({ changes: 10 * i, flushed: 10 * (i - 1), whole: 10 * (i - 1) });
    scene.lag.observe(100 * i);
  }
  t.equal(scene.lag.dirty, 10);
  t.ok(scene.lag.lagMs(100_000) <= 200, `${scene.lag.lagMs(100_000)} ms`);
  scene.set({ changes: 10_000, flushed: 10_000, whole: 10_000 });
  t.equal(scene.lag.lagMs(500_000), 0);
});

t.test(
  'WB-67: one change that is passed over shows, however many others are flushed',
  async (t) => {
    const scene = new Scene();
    for (let i = 1; i <= 1000; i++) {
      scene.set({ changes: 10 * i, flushed: 10 * i - 1, whole: 0 });
      scene.lag.observe(100 * i);
    }
    t.equal(scene.lag.lagMs(100_000), 100_000);
  },
);

t.test('WB-67: an outage longer than what is remembered shows whole', async (t) => {
  const scene = new Scene();
  for (let i = 1; i <= 1000; i++) {
    scene.set({ changes: 10 * i, flushed: 0, whole: 0 });
    scene.lag.observe(100 * i);
  }
  t.equal(scene.lag.lagMs(100_000), 100_000);
  scene.set({ changes: 10_001, flushed: 10_000, whole: 10_000 });
  scene.lag.observe(100_100);
  t.ok(scene.lag.lagMs(100_200) <= 100_200 - 6000, 'at most: what came after is taken for older');
});
