/** What a command sees of the process: streams, environment, the user's wish to stop. */
export interface Io {
  readonly stdout: NodeJS.WritableStream & {
    readonly isTTY?: boolean;
    readonly columns?: number | undefined;
  };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Calls `action` when the user interrupts or the output has no reader any more. */
  onStop(action: () => void): void;
}

export function processIo(): Io {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    onStop: (action) => {
      process.once('SIGINT', action);
      process.once('SIGTERM', action);
      process.stdout.on('error', action);
    },
  };
}

/** How a command ends; also the exit code. */
export const Exit = { DONE: 0, REFUSED: 1, WRONG_USE: 2 } as const;
export type Exit = (typeof Exit)[keyof typeof Exit];

/** The command line cannot be carried out as written: exit code 2, with this sentence. */
export class UsageError extends Error {
  override name = 'UsageError';
  /** Lines that show where it went wrong. */
  readonly lines: readonly string[];

  constructor(message: string, lines: readonly string[] = []) {
    super(message);
    this.lines = lines;
  }
}

/** It could not be done: exit code 1, with this sentence. */
export class FailedError extends Error {
  override name = 'FailedError';
}
