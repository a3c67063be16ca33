import type { Recorded, RunEnd } from '../../src/try/calls.js';
import { runProgram } from '../../src/try/run-program.js';

/** Runs a program, and puts together what is told of it, as the page does. */
export async function recorded(code: string): Promise<Recorded & RunEnd & { readonly parts: number }> {
  const parts: Recorded[] = [];
  const end = await runProgram(code, (part) => parts.push(part));
  return {
    ...end,
    steps: parts.flatMap(({ steps }) => steps),
    views: parts.flatMap(({ views }) => views),
    output: parts.flatMap(({ output }) => output),
    parts: parts.length,
  };
}
