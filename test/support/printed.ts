import { format } from 'node:util';
import { expect, vi } from 'vitest';

/** What the comments of a program say it prints. A comment stands behind or below each call of `console.log`. */
export function promisedBy(program: string): string[] {
  const calls = program.matchAll(/^ *console\.log\(.*\);(?: \/\/ (.*)|((?:\n\/\/ ?.*)+))$/gm);
  const promised = [...calls].map(([, beside, below]) => beside ?? textOf(below as string));
  expect(promised.length).toBe(program.match(/console\.log/g)?.length);
  return promised;
}

/** What a program prints in each call, without empty lines at the end. */
export async function printedBy(run: () => Promise<unknown>): Promise<string[]> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await run();
  const printed = log.mock.calls.map((args) => format(...args).trimEnd());
  log.mockRestore();
  return printed;
}

/** The text of comment lines. */
function textOf(comments: string): string {
  return comments.replace(/\n\/\/ ?/g, '\n').slice(1);
}
