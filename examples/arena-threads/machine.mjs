import { readFileSync } from 'node:fs';
import { attachArena } from '@vmarea/arena';
import { attach, wasmLoops } from '@vmarea/core';
import { Interpreter, link, loadObject } from '@vmarea/ebpf';
import { x8664, x8664Linux } from '@vmarea/x86-64';

/** What clang made of a C program: `fill` adds elements to a list, `sum` adds up their values. */
export const object = loadObject(readFileSync(new URL('list.bpf.o', import.meta.url)));

/** Words that all workers see: whose turn it is, and whether the list is finished. */
export const Word = { turn: 0, isDone: 1 };

/**
 * What the lead tells a worker.
 *
 * @typedef {{
 *   parts: import('@vmarea/core').Description<{ kernel: import('@vmarea/core').AddressSpace, process: import('@vmarea/core').Process }>,
 *   arena: import('@vmarea/arena').ArenaDescription,
 *   number: number,
 *   words: Int32Array,
 * }} Told
 */

/**
 * The machine that the lead has made, in this worker.
 *
 * @param {Told} told
 */
export function machineOf({ parts, arena: described }) {
  const { kernel, process, threads } = attach(parts, {
    formats: [x8664()],
    policies: [x8664Linux()],
    loops: wasmLoops,
  });
  return { process, threads, arena: attachArena(kernel, described) };
}

/**
 * The program on a processor of this thread.
 *
 * @param {import('@vmarea/arena').Arena} arena
 */
export function interpreterOf(arena) {
  const kfuncs = arena.kfuncs();
  const program = link(object, { arena: arena.port(), kfuncs: Object.keys(kfuncs) });
  return { program, interpreter: new Interpreter(program, { arena: arena.port(), kfuncs }) };
}
