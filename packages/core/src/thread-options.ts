type ThreadEnvironment = Record<string, string>;

/**
 * How every thread of a pool is started: by its own code alone. What the process was told to load
 * beforehand, by flag or by NODE_OPTIONS, is no part of a thread; and Node 20 ends the process when a thread is
 * ended while it loads such a thing.
 */
export function threadOptions(environment: Readonly<Record<string, string | undefined>>): {
  readonly execArgv: string[];
  readonly env: ThreadEnvironment;
} {
  const { NODE_OPTIONS: _, ...env } = environment;
  return { execArgv: ['--enable-source-maps'], env: env as ThreadEnvironment };
}
