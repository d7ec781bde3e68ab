// Loaded before a server (`node --import`): takes its port in the moment in which it does not listen.
import { createRequire } from 'node:module';

interface Uws {
  us_listen_socket_close(socket: unknown): void;
  us_socket_local_port(socket: unknown): number;
  App(): { listen(host: string, port: number, callback: (socket: unknown) => void): void };
}

const uws = createRequire(import.meta.resolve('@tidewire/gateway'))('uWebSockets.js') as Uws;
const { us_listen_socket_close: close } = uws;
let closed = 0;

uws.us_listen_socket_close = (socket) => {
  const port = uws.us_socket_local_port(socket);
  close(socket);
  if (closed++ === 1) uws.App().listen('127.0.0.1', port, () => {}); // the first is of its start
};
