import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isIP } from 'node:net';
import { isLoopbackHost } from './loopback-host.js';

const TIMEOUT_MS = 5000;
const CONNECTIONS_MAX = 64;

/** What a path answers. */
export interface AdminAnswer {
  readonly type: string;
  readonly body: string;
}

export type AdminPage = () => Promise<AdminAnswer>;

/**
 * HTTP for the operator, on a port of its own. It asks for no credentials: whoever reaches the address may
 * read all of it, so it listens on this machine alone unless told otherwise.
 */
export class AdminServer {
  readonly #server: Server;
  readonly #pages: ReadonlyMap<string, AdminPage>;
  #isLocal = true;

  constructor(pages: ReadonlyMap<string, AdminPage>) {
    this.#pages = pages;
    this.#server = createServer({ headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS });
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('request', (request, response) => void this.#answer(request, response));
  }

  /** Resolves with the port. Rejects with a sentence if it cannot be had. */
  listen(host: string, port: number): Promise<number> {
    this.#isLocal = isLoopbackHost(host);
    return new Promise((resolve, reject) => {
      this.#server.on('error', (cause) => {
        const reason = `Port ${port} on ${host}, for the operator, is taken or not ours to use`;
        reject(new Error(`${reason}: choose another with --admin-port.`, { cause }));
      });
      this.#server.listen({ host, port, exclusive: true }, () =>
        resolve((this.#server.address() as AddressInfo).port),
      );
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path] = (request.url ?? '').split('?', 1);
    const page = this.#pages.get(path);
    if (request.method !== 'GET') response.writeHead(405, { allow: 'GET' }).end();
    else if (this.#isLocal && !isLocalName(request.headers.host))
      respond(response, 403, { error: 'Ask by an address of this machine.' });
    else if (page === undefined)
      respond(response, 404, { error: `There are ${[...this.#pages.keys()].join(', ')}.` });
    else await this.#show(page, response);
  }

  async #show(page: AdminPage, response: ServerResponse): Promise<void> {
    try {
      const { type, body } = await page();
      response.writeHead(200, { 'content-type': type }).end(body);
    } catch (error) {
      respond(response, 503, { error: (error as Error).message });
    }
  }
}

export function jsonAnswer(body: object): AdminAnswer {
  return { type: 'application/json', body: `${JSON.stringify(body)}\n` };
}

function respond(response: ServerResponse, status: number, body: object): void {
  const answer = jsonAnswer(body);
  response.writeHead(status, { 'content-type': answer.type }).end(answer.body);
}

/** A page of a browser whose name was bent to this machine comes with that name. */
function isLocalName(host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  return hostname === 'localhost' || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
}
