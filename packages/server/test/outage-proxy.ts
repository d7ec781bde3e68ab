import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** A client's connection and the one that the proxy opened for it. */
interface Pair {
  readonly client: Socket;
  readonly database: Socket;
  /** Bytes or an end of it have vanished: it is of no use any more. */
  isHoled: boolean;
  /** An answer has vanished. */
  isMuted: boolean;
}

/**
 * A TCP proxy on 127.0.0.1 in front of a Postgres on a Unix socket, for outages of the network:
 *
 *     stall  nothing passes, ends of connections neither; all of it arrives at the heal
 *     cut    connections end, and new ones end at once
 *     hole   what is sent vanishes, and new connections get no answer
 *     mute   what the database answers vanishes
 */
export class OutageProxy {
  readonly #server: Server;
  readonly #pairs: Set<Pair> = new Set();
  #socketPath: string;
  #state: 'OPEN' | 'STALLED' | 'CUT' | 'HOLED' | 'MUTED' = 'OPEN';

  private constructor(socketDir: string) {
    this.#socketPath = pathIn(socketDir);
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  static async listen(socketDir: string): Promise<OutageProxy> {
    const proxy = new OutageProxy(socketDir);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The database listens elsewhere now. */
  lead(socketDir: string): void {
    this.#socketPath = pathIn(socketDir);
  }

  stall(): void {
    this.#state = 'STALLED';
    for (const pair of this.#pairs) pause(pair);
  }

  cut(): void {
    this.#state = 'CUT';
    for (const pair of this.#pairs) destroy(pair);
  }

  hole(): void {
    this.#state = 'HOLED';
  }

  mute(): void {
    this.#state = 'MUTED';
  }

  heal(): void {
    this.#state = 'OPEN';
    for (const pair of this.#pairs) {
      if (pair.isHoled || pair.isMuted) destroy(pair);
      pair.client.resume();
      pair.database.resume();
    }
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    client.on('error', () => {}); // `close` follows
    if (this.#state === 'CUT') {
      client.destroy();
      return;
    }
    const database = connect({ path: this.#socketPath, allowHalfOpen: true });
    const isHoled = this.#state === 'HOLED';
    const pair: Pair = { client, database, isHoled, isMuted: false };
    database.on('error', () => client.destroy());
    this.#pairs.add(pair);
    this.#carry(pair, client, database);
    this.#carry(pair, database, client);
    if (this.#state === 'STALLED') pause(pair);
  }

  #carry(pair: Pair, from: Socket, to: Socket): void {
    from.on('data', (bytes) => {
      if (this.#state === 'MUTED' && from === pair.database) pair.isMuted = true;
      if (this.#swallows(pair) || (pair.isMuted && from === pair.database)) return;
      to.write(bytes);
    });
    from.on('end', () => {
      if (!this.#swallows(pair)) to.end();
    });
    from.on('close', () => {
      if (this.#swallows(pair) || this.#state === 'STALLED') return;
      destroy(pair);
      this.#pairs.delete(pair);
    });
  }

  #swallows(pair: Pair): boolean {
    if (this.#state === 'HOLED') pair.isHoled = true;
    return pair.isHoled;
  }
}

function pathIn(socketDir: string): string {
  return join(socketDir, '.s.PGSQL.5432');
}

function pause(pair: Pair): void {
  pair.client.pause();
  pair.database.pause();
}

function destroy(pair: Pair): void {
  pair.client.destroy();
  pair.database.destroy();
}
