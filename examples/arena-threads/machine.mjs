import { readFileSync } from 'node:fs';
import { attachArena } from '@vmarea/arena';
import { attach, wasmLoops } from '@vmarea/core';
import { Interpreter, link, loadObject } from '@vmarea/ebpf';
import { x8664, x8664Linux } from '@vmarea/x86-64';

/**
 * What clang made of C programs: `fill` of the list adds elements, `sum` adds up their values; `run` of the hash table does a command.
 *
 * @type {Record<string, import('@vmarea/ebpf').BpfObject>}
 */
export const objects = Object.fromEntries(
  ['list', 'htab'].map((name) => [name, loadObject(readFileSync(new URL(`${name}.bpf.o`, import.meta.url)))]),
);

/** Words that all workers see: whose turn it is, whether the program is finished, and how many processes have begun to walk. */
export const Word = { turn: 0, isDone: 1, walkers: 2 };

/**
 * What the lead tells a worker.
 *
 * @typedef {{
 *   parts: import('@vmarea/core').Description<{ kernel: import('@vmarea/core').AddressSpace, process: import('@vmarea/core').Process }>,
 *   arena: import('@vmarea/arena').ArenaDescription,
 *   name: string,
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
 * @param {string} name - of its object.
 */
export function interpreterOf(arena, name) {
  const kfuncs = arena.kfuncs();
  const program = link(/** @type {import('@vmarea/ebpf').BpfObject} */ (objects[name]), {
    arena: arena.port(),
    kfuncs: Object.keys(kfuncs),
  });
  return { program, interpreter: new Interpreter(program, { arena: arena.port(), kfuncs }) };
}
