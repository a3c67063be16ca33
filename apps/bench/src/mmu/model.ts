import type { Access, PageTableFormat, PageTableReader, PhysicalMemory, Walk } from '@vmarea/core';
import { toBigint, words } from '@vmarea/core';
import { addressOf } from './batch/address.js';
import { ACCESSES, type GuestAccess, offsetInUnit, PROBES, REAL_ACCESSES } from './guest/layout.js';
import type { Outcome, Subject, Target } from './target.js';

/** The expected outcome of an access. */
export interface Expected {
  readonly walk: Walk;
  readonly outcome: Outcome;
  /** The outcome if nothing refused it; `null` when the address is not mapped. */
  readonly made: Outcome | null;
}

/** The model: a format's walk over the same tables, and the accessed and dirty bits that it sets. */
export class Model {
  readonly #target: Target;
  readonly #subject: Subject;
  readonly #memory: PhysicalMemory;
  readonly #table: PageTableReader;
  /** Bits that the processor may set but need not, by the entry's address. */
  readonly allowed = new Map<bigint, bigint>();

  /** Allows the processor to set bits of an entry. */
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
   * The useful and harmless accesses of an address, a bit for each; 0 for none.
   *
   * Only probes may reach a device, the stub or the tables.
   */
  usable(va: bigint, walk: Walk = this.walk(va)): number {
    const { ram, noMemory } = this.#target;
    if (walk.fault?.kind === 'external') {
      const missing = addressOf(this.#subject.format, walk.steps.at(-1)?.entry ?? 0n);
      // The model has no memory there. The machine may have memory or a device.
      return noMemory !== null && ram.isEmpty(missing) ? PROBES | REAL_ACCESSES : 0;
    }
    if (walk.pa === null || isFrame(ram, walk.pa)) return PROBES | REAL_ACCESSES;
    if (!ram.isEmpty(walk.pa)) return PROBES;
    // Without memory there is no code to execute.
    return PROBES | (noMemory !== null ? REAL_ACCESSES : REAL_ACCESSES & ~EXECUTES);
  }

  /** Walks an address without an access. */
  walk(va: bigint): Walk {
    return this.#table.walk(va, undefined, this.#subject.controls);
  }

  /** The expected outcome of an access to the unit at an address. Sets the bits that a processor sets. */
  expect(unit: bigint, access: GuestAccess): Expected {
    const { format } = this.#subject;
    const controls = this.#target.controls(this.#subject, access);
    const va = BigInt.asUintN(64, unit + offsetInUnit(access));
    const asked: Access = { kind: access.kind, user: access.user };
    const walk = this.#table.walk(va, asked, controls);
    if (!access.isProbe) this.#touch(format, walk, asked);
    const made = walk.pa === null ? null : this.made(va, walk.pa, access);
    if (walk.fault === null) return { walk, outcome: made as Outcome, made };
    const { name, code } = walk.fault.code;
    return { walk, outcome: { kind: 'fault', name, code, address: va }, made };
  }

  /** The outcome of an access that nothing refuses. */
  made(va: bigint, pa: bigint, access: GuestAccess): Outcome {
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
      // The manuals allow a processor to mark tables on the way to a fault.
      else if (kind === 'table') this.allow(address, bits);
    }
  }
}

const EXECUTES = ACCESSES.reduce((mask, { kind }, i) => (kind === 'execute' ? mask | (1 << i) : mask), 0);

/** True for an address of a frame, not of a table. */
export function isFrame({ frames: [from, to], banks }: Target['ram'], pa: bigint): boolean {
  return pa >= from && pa < to && !banks.some(({ base, bytes }) => pa >= base && pa < base + BigInt(bytes));
}
