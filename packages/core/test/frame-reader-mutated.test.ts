import t from 'tap';
import { FrameFault } from '#lib/wire/frame-fault.js';
import { disagreement } from './frame-disagreement.js';
import { mutateFrame, oddFrame, randomFrame } from './random-frame.js';
import { SEED, SeededRandom } from './seeded-random.js';

const FRAMES = 100_000;

t.test(
  'WIRE-1: damaged and random frames are read as Protobuf reads them, or refused',
  async (t) => {
    const random = new SeededRandom(SEED);
    const seen = new Map<number, number>();
    const note = (key: number): void => void seen.set(key, (seen.get(key) ?? 0) + 1);
    for (let i = 0; i < FRAMES; i++) {
      const bytes = anyFrame(random);
      const trouble = disagreement(bytes, note);
      if (trouble === undefined) continue;
      t.fail(`frame ${i}: ${trouble}`, { bytes: Buffer.from(bytes).toString('hex') });
      break;
    }
    t.ok((seen.get(FrameFault.NONE) ?? 0) > FRAMES / 10, 'many frames are accepted');
    for (const fault of Object.values(FrameFault).filter(
      (f) => f !== FrameFault.TOO_MANY_OPERATIONS,
    ))
      t.ok((seen.get(fault) ?? 0) > 100, `fault ${fault} has come up ${seen.get(fault)} times`);
  },
);

function anyFrame(random: SeededRandom): Uint8Array {
  if (random.chance(5)) return random.bytes(random.below(40));
  let frame = random.chance(50) ? randomFrame(random) : oddFrame(random);
  for (let times = random.below(3); times > 0; times--) frame = mutateFrame(frame, random);
  return frame;
}
