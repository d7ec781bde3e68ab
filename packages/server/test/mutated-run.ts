import { Attacker, Bystander, type Fate } from './attacker.js';
import { messageOf } from './hostile-socket.js';
import { mutate, mutatedFrame } from './mutated-frames.js';
import type { SeededRandom } from './seeded-random.js';

const CONNECTIONS = 32;
const ASK_EVERY = 100;
/** One in so many is damaged as WebSocket bytes, and its sender leaves at once. */
const RAW_EVERY = 20;

/** What came of the frames; `raw` ones are not answered for. */
export type MutatedCounts = Record<Fate | 'raw' | 'asked', number>;

/**
 * Sends so many mutated frames to a server, beside a client whose operations must be answered as
 * ever. Rejects at the first frame that is not refused, closed by a named code, or valid.
 */
export async function sendMutated(
  url: string,
  frames: number,
  random: SeededRandom,
  onProgress: (sent: number) => void = () => {},
): Promise<MutatedCounts> {
  const port = Number(new URL(url).port);
  const honest = await Bystander.enter(url, CONNECTIONS);
  const counts = { refused: 0, closed: 0, valid: 0, raw: 0, asked: 0 };
  let sent = 0;
  const attack = async (): Promise<void> => {
    const attacker = new Attacker(port);
    while (sent < frames) {
      const number = ++sent;
      onProgress(number);
      if (number % ASK_EVERY === 0) await honest.ask();
      const bytes = mutatedFrame(random);
      if (number % RAW_EVERY === 0) {
        await attacker.sendRaw(mutate(messageOf(bytes), random));
        counts.raw++;
      } else counts[await attacker.send({ bytes, expected: 'any' })]++;
    }
    attacker.leave();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, attack));
  counts.asked = honest.asked;
  if (honest.client.errors.length > 0) throw new Error('the honest client was refused');
  honest.client.close();
  return counts;
}
