import { type BankOptions, PhysicalMemory } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import type { GuestAccess } from './guest/layout.js';
import type { Outcome, Subject, Target } from './target.js';

/** The same accesses through `Mmu`, on a copy of the tables: what a simulated processor makes of them, and which bits it sets. */
export class ThroughMmu {
  /** The copy of the tables, with the bits that `Mmu` sets. */
  readonly memory: PhysicalMemory;
  readonly #target: Target;
  readonly #subject: Subject;
  readonly #mmu: Mmu;
  /** For probes, which set no bits: the same bytes as an image that cannot be written. */
  readonly #probe: Mmu;

  constructor(target: Target, subject: Subject, memory: PhysicalMemory, root: bigint) {
    const banks = memory.banks.map(({ base, words }) => ({ base, source: words.slice().buffer }));
    const over = (writable: boolean): PhysicalMemory =>
      PhysicalMemory.of(banks.map((bank): BankOptions => ({ ...bank, writable })));
    this.memory = over(true);
    const tables = { ...subject, root };
    this.#target = target;
    this.#subject = subject;
    this.#mmu = new Mmu({ memory: this.memory, tables });
    this.#probe = new Mmu({ memory: over(false), tables });
  }

  /** The outcome of an access to an address. @param made - the outcome of an access to a physical address. */
  outcome(va: bigint, access: GuestAccess, made: (pa: bigint) => Outcome): Outcome {
    const mmu = access.isProbe ? this.#probe : this.#mmu;
    mmu.setControls(this.#target.controls(this.#subject, access));
    const { pa, fault } = mmu.access(va, access.kind, access.user);
    if (fault === null) return made(pa);
    return { kind: 'fault', name: fault.code.name, code: fault.code.code, address: va };
  }
}
