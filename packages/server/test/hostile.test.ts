import { readFile } from 'node:fs/promises';
import { isRefusal } from '@tidewire/core';
import { Code } from '@tidewire/schemas';
import t from 'tap';
import { type Expected, hostileFrame } from './hostile-frames.js';
import { HostileSocket } from './hostile-socket.js';
import { get, put, textOf } from './operations.js';
import { encodeFrame, RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';
import { SEED, SeededRandom } from './seeded-random.js';

const FRAMES = 100_000;
const QUARTERS = 4;
const CONNECTIONS = 32;
/** Of the process, between the end of the first and of the last quarter. */
const GROWTH_BYTES_MAX = 32 * 1024 * 1024;
/** The honest client asks after so many hostile frames. */
const ASK_EVERY = 50;
const HELLO = encodeFrame({ case: 'hello', value: { protocolVersion: 1, node: 5 } });
const CLOSED_WELL = new Set([4000 + Code.INVALID, 4000 + Code.TOO_LARGE]);

const server = await RunningServer.start(t);
const port = Number(new URL(server.url).port);

t.test(
  `CONN-12: ${FRAMES} hostile frames: a named error or close code each, no crash, no growth, others undisturbed (seed ${SEED})`,
  async (t) => {
    const random = new SeededRandom(SEED);
    const honest = await RawClient.connect(server.url, 6);
    t.teardown(() => honest.close());
    const counts = { refused: 0, closed: 0, valid: 0 };
    const residents: number[] = [];
    let sent = 0;
    let asked = 0;
    for (let quarter = 1; quarter <= QUARTERS; quarter++) {
      const end = (FRAMES / QUARTERS) * quarter;
      const attack = async (): Promise<void> => {
        const attacker = new Attacker();
        while (sent < end) {
          if (++sent % ASK_EVERY === 0) await ask(honest, ++asked);
          counts[await attacker.send(random)]++;
        }
        attacker.leave();
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, attack));
      residents.push(await residentBytes(server.pid));
    }
    t.comment(JSON.stringify({ ...counts, residents }));
    t.equal(counts.refused + counts.closed + counts.valid, sent);
    t.ok(counts.refused > FRAMES / 4 && counts.closed > FRAMES / 4, 'of each sort there were many');
    t.ok(
      residents[QUARTERS - 1] - residents[0] < GROWTH_BYTES_MAX,
      `memory: ${residents.join(', ')}`,
    );
    t.equal(honest.errors.length, 0);
    await server.until(({ connections }) => connections === 1);
    t.pass('no session is left behind');
  },
);

/** Another client's operations are all answered as ever. */
async function ask(client: RawClient, count: number): Promise<void> {
  const [written, found] = await client.operate(
    put('honest', `k${count % 100}`, String(count)),
    get('honest', `k${count % 100}`),
  );
  if (written.outcome !== Code.APPLIED || found.outcome !== Code.FOUND)
    throw new Error(`an honest operation was answered ${written.refusal}, ${found.outcome}`);
  if (Number(textOf(found.value)) < count - CONNECTIONS * 100) throw new Error('a stale read');
}

/** One who sends a frame, waits for the answer, and comes back when shut out. */
class Attacker {
  #socket: HostileSocket | undefined;
  #token = 0n;

  async send(random: SeededRandom): Promise<'refused' | 'closed' | 'valid'> {
    const { bytes, expected } = hostileFrame(random);
    this.#socket ??= await this.#enter();
    const socket = this.#socket;
    const token = ++this.#token;
    socket.frames.length = 0;
    socket.say(bytes, encodeFrame({ case: 'ping', value: { token } }));
    const goesOn = await socket.heard(
      ({ body }) => body.case === 'pong' && body.value.token === token,
    );
    const answer = goesOn ? await this.#answerOf(socket, expected) : await this.#endOf(socket);
    if (expected !== 'any' && answer !== expected)
      throw new Error(`${Buffer.from(bytes).toString('hex')} is ${answer}, not ${expected}`);
    return answer;
  }

  leave(): void {
    this.#socket?.reset();
    this.#socket = undefined;
  }

  async #enter(): Promise<HostileSocket> {
    const socket = await HostileSocket.open(port);
    socket.say(HELLO);
    if (!(await socket.heard(({ body }) => body.case === 'welcome'))) throw new Error('no Welcome');
    return socket;
  }

  /** The connection goes on: the frame was valid, or each of its operations was refused. */
  async #answerOf(socket: HostileSocket, expected: Expected): Promise<'refused' | 'valid'> {
    const isRefused = (): boolean =>
      socket.frames.some(
        ({ body }) =>
          (body.case === 'error' && isRefusal(body.value.code)) ||
          (body.case === 'results' && body.value.results.some(({ refusal }) => isRefusal(refusal))),
      );
    if (expected === 'refused') await socket.heard(isRefused);
    return isRefused() ? 'refused' : 'valid';
  }

  async #endOf(socket: HostileSocket): Promise<'closed'> {
    this.#socket = undefined;
    const code = await socket.closed;
    const named = socket.frames.some(({ body }) => body.case === 'error');
    if (!CLOSED_WELL.has(code) || !named) throw new Error(`closed with ${code}`);
    return 'closed';
  }
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
