import { readFileSync } from 'node:fs';
import { type Arena, createArena } from '@vmarea/arena';
import { CheckError } from '@vmarea/cli';
import type { AddressSpace } from '@vmarea/core';
import {
  arenaAddress,
  globalBytes,
  Interpreter,
  type LinkedProgram,
  link,
  loadObject,
  storeArenaGlobals,
} from '@vmarea/ebpf';
import { appFile } from '../app-root.js';
import { timed } from '../timed.js';
import { type Bed, USER_START } from './bed.js';

/** The object of packages/ebpf, which that package does not publish. */
const OBJECT = 'data/list.bpf.o';
/** BPF_MAP_TYPE_ARENA. */
const ARENA_MAP = 33;

/** The programs, and how often a round runs each: an even number, so that the list has its order again. */
export const PROGRAMS = [
  ['sum', 4],
  ['reverse', 4],
] as const;

/** A list in an arena, and the programs that walk through it. */
export class ListPrograms {
  readonly elements: number;
  readonly #bed: Bed;
  readonly #kernel: AddressSpace;
  readonly #arena: Arena;
  readonly #program: LinkedProgram;
  readonly #interpreter: Interpreter;

  constructor(bed: Bed, elements: number) {
    this.#bed = bed;
    this.elements = elements;
    const object = loadObject(new Uint8Array(readFileSync(appFile(OBJECT))));
    const map = object.maps.find(({ type }) => type === ARENA_MAP);
    if (map === undefined) throw new CheckError(`${OBJECT} has no arena`);
    this.#kernel = bed.kernel();
    this.#arena = createArena(this.#kernel, { maxEntries: map.maxEntries, mapExtra: USER_START });
    const arena = this.#arena.port();
    const kfuncs = { ...this.#arena.kfuncs() };
    this.#program = link(object, { arena, kfuncs: Object.keys(kfuncs) });
    const { arenaGlobals } = this.#program;
    if (arenaGlobals === null) throw new CheckError(`${OBJECT} has no variables in its arena`);
    const { offset, bytes } = arenaGlobals;
    const at = USER_START + BigInt(offset);
    const own = Math.ceil(bytes.length / bed.pageBytes);
    bed.require('list', "the variables' address", this.#arena.allocPages(at, own) ?? -1n, at);
    storeArenaGlobals(this.#program, arena);
    this.#set('page_bytes', bed.pageBytes);
    this.#interpreter = new Interpreter(this.#program, { arena, kfuncs });
    const context = new Uint8Array(new BigUint64Array([BigInt(elements)]).buffer);
    bed.require('list', 'the result of fill', this.#interpreter.run('fill', { context }).value, 0n);
    const pages = own + Math.ceil((elements * ELEMENT_BYTES) / bed.pageBytes);
    bed.require('list', 'memUsage', this.#arena.memUsage(), BigInt(pages * bed.pageBytes));
  }

  /** Runs each program. */
  round(note: (program: string, instructions: number, ns: number) => void): void {
    for (const [name, times] of PROGRAMS) {
      let instructions = 0;
      const ns = timed(() => {
        for (let i = 0; i < times; i++) instructions += this.#interpreter.run(name).instructions;
      });
      note(name, instructions / times, ns / times);
      this.#requireList(name);
    }
  }

  /** Ends the arena and its kernel. */
  end(): void {
    this.#arena.destroy();
    this.#kernel.destroy();
  }

  /** The list begins with the element that came last, and the sum is that of all. */
  #requireList(what: string): void {
    const { elements } = this;
    const head = this.#arena.load(arenaAddress(this.#program, 'head'), 8);
    this.#bed.require(what, 'the first value', this.#arena.load(head + 8n, 8), BigInt(elements - 1));
    const sum = (BigInt(elements) * BigInt(elements - 1)) / 2n;
    this.#bed.require(what, 'the sum', this.#arena.load(arenaAddress(this.#program, 'arena_sum'), 8), sum);
  }

  #set(name: string, value: number): void {
    const { buffer, byteOffset } = globalBytes(this.#program, name);
    new DataView(buffer, byteOffset).setUint32(0, value, true);
  }
}

/** Bytes of a `struct element`. */
const ELEMENT_BYTES = 16;
