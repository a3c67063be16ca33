import type { Access, PageTableFormat, PageTableReader, PhysicalMemory, Walk } from '@vmarea/core';
import { toBigint, words } from '@vmarea/core';
import { addressOf } from './batch/address.js';
import { ACCESSES, type GuestAccess, offsetInUnit, PROBES, REAL_ACCESSES } from './guest/layout.js';
import type { Outcome, Subject, Target } from './target.js';

/** What an access should lead to. */
export interface Expected {
  readonly walk: Walk;
  readonly outcome: Outcome;
  /** What it would lead to if nothing refused it; `null` where the address is not mapped. */
  readonly made: Outcome | null;
}

/** The model: a format's walk over the same tables, with the accessed and dirty bits that it sets. */
export class Model {
  readonly #target: Target;
  readonly #subject: Subject;
  readonly #memory: PhysicalMemory;
  readonly #table: PageTableReader;
  /** Bits that the processor may set beside those it must: by address of the entry. */
  readonly allowed = new Map<bigint, bigint>();

  /** Lets the processor set bits of an entry. */
  allow(entry: bigint, bits: bigint): void {
    this.allowed.set(entry, (this.allowed.get(entry) ?? 0n) | bits);
  }

  constructor(target: Target, subject: Subject, memory: PhysicalMemory, table: PageTableReader) {
    this.#target = target;
    this.#subject = subject;
    this.#memory = memory;
    this.#table = table;
  }

  /**
   * Which accesses of an address say something and do no harm, a bit for each; 0 for none.
   *
   * What leads to a device, to the stub or to the tables is asked for by probes alone.
   */
  usable(va: bigint, walk: Walk = this.walk(va)): number {
    const { ram, noMemory } = this.#target;
    if (walk.fault?.kind === 'external') {
      const missing = addressOf(this.#subject.format, walk.steps.at(-1)?.entry ?? 0n);
      // The model has no tables there; the machine has memory, or a device.
      return noMemory !== null && ram.isEmpty(missing) ? PROBES | REAL_ACCESSES : 0;
    }
    if (walk.pa === null || isFrame(ram, walk.pa)) return PROBES | REAL_ACCESSES;
    if (!ram.isEmpty(walk.pa)) return PROBES;
    // What comes from nowhere is no code.
    return PROBES | (noMemory !== null ? REAL_ACCESSES : REAL_ACCESSES & ~EXECUTES);
  }

  /** The walk of an address by no access in particular. */
  walk(va: bigint): Walk {
    return this.#table.walk(va, undefined, this.#subject.controls);
  }

  /** What an access of the unit at an address leads to; what the processor sets on the way is set. */
  expect(unit: bigint, access: GuestAccess): Expected {
    const { format } = this.#subject;
    const controls = this.#target.controls(this.#subject, access);
    const va = BigInt.asUintN(64, unit + offsetInUnit(access));
    const asked: Access = { kind: access.kind, user: access.user };
    const walk = this.#table.walk(va, asked, controls);
    if (!access.isProbe) this.#touch(format, walk, asked);
    const made = walk.pa === null ? null : this.#made(va, walk.pa, access);
    if (walk.fault === null) return { walk, outcome: made as Outcome, made };
    const { name, code } = walk.fault.code;
    return { walk, outcome: { kind: 'fault', name, code, address: va }, made };
  }

  #made(va: bigint, pa: bigint, access: GuestAccess): Outcome {
    if (!access.isProbe && !isFrame(this.#target.ram, pa)) {
      const { noMemory } = this.#target;
      return noMemory?.(access, va) ?? { kind: 'done', pa: null, unit: null };
    }
    return { kind: 'done', pa: pa - offsetInUnit(access), unit: null };
  }

  #touch(format: PageTableFormat, walk: Walk, access: Access): void {
    for (const { level, entry, address, kind } of walk.steps) {
      if (kind !== 'table' && kind !== 'leaf') continue;
      const before = words(entry);
      const after = format.touch(before, level, kind, access, this.#subject.controls);
      if (after === before) continue;
      const bits = toBigint(after) ^ entry;
      if (walk.fault === null) this.#memory.write64(address, entry ^ bits);
      // Tables on the way to a fault may have been marked: manuals leave it open.
      else if (kind === 'table') this.allow(address, bits);
    }
  }
}

const EXECUTES = ACCESSES.reduce((mask, { kind }, i) => (kind === 'execute' ? mask | (1 << i) : mask), 0);

/** True for an address where frames may be, and no tables. */
export function isFrame({ frames: [from, to], banks }: Target['ram'], pa: bigint): boolean {
  return pa >= from && pa < to && !banks.some(({ base, bytes }) => pa >= base && pa < base + BigInt(bytes));
}
