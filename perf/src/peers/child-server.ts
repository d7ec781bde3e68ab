import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Waits until `child` prints what matches `pattern`; throws if it ends or takes too long. */
export async function waitForLine(
  child: ChildProcess,
  pattern: RegExp,
  timeoutMs: number,
): Promise<RegExpExecArray> {
  let printed = '';
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready in time: ${printed}`)), timeoutMs);
    const onText = (text: string): void => {
      printed = (printed + text).slice(-20_000);
      const match = pattern.exec(printed);
      if (match === null) return;
      clearTimeout(timer);
      resolve(match);
    };
    child.stdout?.setEncoding('utf8').on('data', onText);
    child.stderr?.setEncoding('utf8').on('data', onText);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${code}: ${printed}`));
    });
  });
}

/** SIGTERM, and SIGKILL after `deadlineMs`; resolves with the exit code once it is gone. */
export async function stopChild(child: ChildProcess, deadlineMs: number): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
  await ended;
  clearTimeout(timer);
  return child.exitCode;
}
