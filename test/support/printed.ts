import { format } from 'node:util';
import { expect, vi } from 'vitest';

/** What a program's comments say that it prints: after a call of `console.log`, or in the lines below it. Every call must say. */
export function promisedBy(program: string): string[] {
  const calls = program.matchAll(/^ *console\.log\(.*\);(?: \/\/ (.*)|((?:\n\/\/ ?.*)+))$/gm);
  const promised = [...calls].map(([, beside, below]) => beside ?? textOf(below as string));
  expect(promised.length).toBe(program.match(/console\.log/g)?.length);
  return promised;
}

/** What a program prints, call by call, without empty lines at the end. */
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
