import { Code } from '@tidewire/core';
import type { SessionLog } from '@tidewire/gateway';
import { pino } from 'pino';

/** Structured log lines on standard error; standard output belongs to the ready line. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export function createLog(level: string): Log {
  return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
}

/** Connections come and go by the thousand: only who wants to know all of it is told. */
export function sessionLogOf(log: Log): SessionLog {
  return {
    opened: (connection, address) => log.debug({ connection, address }, 'connection opened'),
    refused: (connection, code, reason) =>
      log.debug({ connection, code: Code[code], reason }, 'connection is closed by the server'),
    closed: (connection) => log.debug({ connection }, 'connection closed'),
  };
}
