import {
  type Access,
  type Controls,
  checkAddress,
  type Fault,
  type FaultCode,
  type FlushSink,
  flagOption,
  hex,
  type Invalidation,
  integerOption,
  optionsOf,
  type PhysicalMemory,
  VmError,
  words,
} from '@vmarea/core';
import type { ProcessorObserver } from '../processor-observer.js';
import type { DeviceIo } from './device-io.js';
import { Exchanges } from './exchange.js';
import { checkedAsid, InvalidationNames, operandsOf } from './invalidation-names.js';
import { type Mode, Modes } from './modes.js';
import { type MmuTables, tablesOf } from './tables-option.js';
import type { WalkRoot } from './walk-root.js';

/** What a processor is made of. */
export interface MmuOptions<C extends Controls = Controls> {
  /** The memory of the machine: its tables and its data. */
  readonly memory: PhysicalMemory;
  /** What it translates with at first. `switchRoot` and `switchTables` change it. */
  readonly tables: MmuTables<C>;
  /** The current address-space identifier, 0 to 65535. Default: that of `tables`, else 0. */
  readonly asid?: number;
  /**
   * Lines of the TLB for each kind of access, a power of two from 16 to 65536. A line is 24 bytes, and there are seven sections: 1,024
   * lines are 168 KiB. Default: 1024.
   */
  readonly entries?: number;
  /** Serves frames without bytes. Default: an access to one is refused with `EFAULT`. */
  readonly io?: DeviceIo;
  /** Is told of fills, uses and flushes. It costs the fast path of every access. Default: nobody. */
  readonly observer?: ProcessorObserver;
  /** What `invalidate` knows: the list of a format package, such as `X8664_INVALIDATIONS`. Default: nothing. */
  readonly invalidations?: readonly Invalidation[];
}

/** What an access comes to: the physical address in bytes, or the fault. */
export type Accessed =
  | { readonly pa: bigint; readonly fault: null }
  | { readonly pa: null; readonly fault: Fault & { readonly code: FaultCode } };

const NAMES = ['memory', 'tables', 'asid', 'entries', 'io', 'observer', 'invalidations'] as const;

/**
 * One simulated processor's side of page tables: it checks and translates each access as the hardware does, sets accessed and dirty
 * bits, and keeps what it found in a software TLB.
 *
 * It judges as `PageTableReader.walk` does: permissions over all levels, every control of the format, reserved bits. It holds a
 * translation until it is told to forget it: by `invalidate`, by a flush of `sink`, or by a change of the roots of an ASID.
 * Where it may forget more than it must, it may do so.
 *
 * Tags of addresses (TBI, LAM, pointer masking) must be removed before.
 *
 * @example
 * ```ts
 * const mmu = new Mmu({ memory, tables: riscv64FromRegisters({ satp }), invalidations: RISCV64_INVALIDATIONS });
 * mmu.store32(0, 0x1000, true, 7); // by user mode, at 0x1000
 * mmu.access(0x1000n, 'execute', true).fault?.code; // { name: 'scause', code: 12 }
 * mmu.invalidate('SFENCE.VMA va', 0x1000n);
 * ```
 */
export class Mmu<C extends Controls = Controls> extends Exchanges {
  /**
   * Takes the flushes of a `PageTable` or an `AddressSpace`: what they name is forgotten when the call returns. `shootdown` makes one
   * for several processors.
   */
  readonly sink: FlushSink;
  readonly #memory: PhysicalMemory;
  readonly #modes: Modes;
  readonly #invalidations: InvalidationNames;
  /** What frozen tables mean, found once. */
  readonly #prepared = new WeakMap<object, Prepared>();
  #mode: Mode;

  /**
   * @throws VmError `EINVAL` for an unknown or invalid option, and for a root that is not aligned; `EFAULT` when a root has no bytes.
   */
  constructor(options: MmuOptions<C>) {
    const given = optionsOf<Partial<MmuOptions<C>>>(options, NAMES, 'Mmu');
    const { memory, io, observer } = given as MmuOptions<C>;
    if (typeof memory?.bankOf !== 'function')
      throw new VmError('EINVAL', 'the memory of the Mmu is no PhysicalMemory', {
        advice: 'pass PhysicalMemory.over(buffer)',
      });
    requireCalls(io, 'io', ['load', 'store']);
    requireCalls(observer, 'observer', ['fill', 'use', 'fault', 'flushDone', 'invalidated']);
    const entries = integerOption(given, 'entries', 16, 65536, DEFAULT_ENTRIES);
    if ((entries & (entries - 1)) !== 0)
      throw new VmError('EINVAL', `entries is ${entries}, expected a power of two`);
    super(memory, entries, observer ?? null);
    this.#memory = memory;
    this.#modes = new Modes(memory, () => this.tlb.spaces.reset());
    this.#invalidations = new InvalidationNames(given.invalidations as readonly Invalidation[]);
    this.io = io ?? null;
    const tables = tablesOf(given.tables);
    this.currentAsid = checkedAsid(given.asid === undefined ? (tables.asid ?? 0) : given.asid);
    this.#mode = this.#modes.of(tables.translations);
    this.#enter();
    this.sink = {
      flush: (va, bytes, leafShift, tablesFreed, asid) => {
        this.#forgetRange(va, bytes, asid, true);
        this.watcher?.flushDone(va, bytes, leafShift, tablesFreed, asid);
      },
    };
  }

  /** The current address-space identifier. */
  get asid(): number {
    return this.currentAsid;
  }

  /**
   * Judges one access, as the processor does: the walk sets accessed and dirty bits.
   *
   * @param va - 0 to 2^64 - 1.
   * @param kind - what the access does.
   * @param user - true for user mode. Default: false.
   * @returns the physical address, or the fault with the architecture's code.
   * @throws VmError `EINVAL` or `ERANGE` when `va` is not an unsigned 64-bit bigint; `EINVAL` for another kind.
   */
  access(va: bigint, kind: Access['kind'], user = false): Accessed {
    checkAddress(va);
    const isUser = flagOption({ user }, 'user');
    const { hi, lo } = words(va);
    const frame = this.translate(hi, lo, kind, isUser);
    if (frame >= 0) return { pa: (BigInt(frame) << 12n) | (va & 4095n), fault: null };
    const { fault } = this;
    if (fault === null) throw new Error('a walk failed without a fault');
    return { pa: null, fault: { kind: fault.kind, level: fault.level, code: fault.code } };
  }

  /**
   * Exchanges a root, as a write of CR3, TTBR or satp does. It forgets nothing that the architecture keeps: global translations,
   * and those of other ASIDs. Those of an ASID whose roots change are forgotten.
   *
   * x86-64's MOV CR3 also forgets, unless bit 63 is set: call `invalidate('MOV CR3')` after it.
   *
   * @param root - physical address of the root table in bytes.
   * @param asid - address-space identifier, 0 to 65535. Default: the current one.
   * @param index - of the root, where there are several: arm64's TTBR0 and TTBR1, in the order of the tables. Default: 0.
   * @throws VmError `EINVAL` when the root is not aligned or the asid or index does not exist; `EFAULT` when the root has no bytes.
   *   Nothing has then changed.
   */
  switchRoot(root: bigint, asid: number = this.currentAsid, index = 0): void {
    const place = this.roots[index];
    if (place === undefined) {
      throw new VmError('EINVAL', `this processor has no root ${index}, but ${this.roots.length}`, {
        advice: 'switchTables takes other tables, also where addresses were physical',
      });
    }
    const next = asid === this.currentAsid ? asid : checkedAsid(asid);
    place.use(this.#memory, root);
    this.currentAsid = next;
    this.select(this.#mode.index);
  }

  /**
   * Exchanges everything that the processor translates with: both halves of arm64, another format, or `null` for physical addresses.
   * What a format's `…FromRegisters` returned is prepared once; to pass it in again takes less than a microsecond.
   *
   * @param asid - address-space identifier. Default: that of the tables, else the current one.
   * @throws VmError as `switchRoot`, and `EINVAL` for tables that are none. Nothing has then changed.
   */
  switchTables(tables: MmuTables<C>, asid?: number): void {
    const given = asid === undefined ? null : checkedAsid(asid);
    const prepared = this.#prepare(tables);
    const { mode, roots } = prepared;
    const next = given ?? prepared.asid ?? this.currentAsid;
    if (roots.length > 1)
      for (let i = 0; i < roots.length; i++) mode.roots[i]?.check(this.#memory, roots[i] as bigint);
    for (let i = 0; i < roots.length; i++) (mode.roots[i] as WalkRoot).use(this.#memory, roots[i] as bigint);
    this.#mode = mode;
    this.currentAsid = next;
    this.#enter();
  }

  /**
   * Changes processor modes, such as CR0.WP, EFLAGS.AC, sstatus.SUM or PSTATE.PAN, for all roots. What was found under other modes
   * is not used, and not lost: going back finds it again. Pass frozen objects for modes that change often; they are known again.
   *
   * @param controls - those that change.
   * @throws VmError `EINVAL` for controls that the format does not know. Nothing has then changed.
   */
  setControls(controls: Partial<C>): void {
    if (typeof controls !== 'object' || controls === null)
      throw new VmError('EINVAL', `the controls are ${String(controls)}`, {
        advice: 'pass an object with those that change, such as { wp: true }',
      });
    this.#mode = this.#modes.changed(this.#mode, controls);
    this.#enter();
  }

  /**
   * Forgets what an instruction of the architecture makes a processor forget.
   *
   * One with `broadcast` reaches other processors only through `shootdown(…).invalidate`.
   *
   * @param name - of the option `invalidations`: `INVLPG`, `TLBI VAE1IS`, `SFENCE.VMA va, asid`.
   * @param operands - in this order: the address (a bigint) when it names one, the length in bytes of a range, the ASID when it is given.
   * @throws VmError `EINVAL` for a name that is not there, with the nearest one that is, and for other operands.
   * @example
   * ```ts
   * mmu.invalidate('INVPCID 0', 0x40_0000n, 3);
   * mmu.invalidate('TLBI RVAE1', 0x40_0000n, 0x1_0000, 3);
   * mmu.invalidate('SFENCE.VMA');
   * ```
   */
  invalidate(name: string, ...operands: readonly (bigint | number)[]): void {
    this.forget(this.#invalidations.of(name), operands);
  }

  /** Whether a name's invalidation reaches all processors. @internal */
  find(name: string): Invalidation {
    return this.#invalidations.of(name);
  }

  /** Forgets what an invalidation names. @internal */
  forget(
    invalidation: Invalidation,
    operands: readonly (bigint | number)[],
    current: number = this.currentAsid,
  ): void {
    const { addresses, asids, globals } = invalidation;
    const named = operandsOf(invalidation, operands);
    const asid = asids === 'given' ? named.asid : current;
    const only = asids === 'all' ? -1 : asid;
    if (addresses === 'range') this.#forgetRange(named.va, named.bytes, only, globals);
    else if (addresses === 'all') this.#forgetAll(only, globals);
    else {
      const { hi, lo } = words(named.va);
      this.tlb.dropPage(hi, lo, only, globals);
    }
    this.watcher?.invalidated(invalidation, asid, named.va, named.bytes);
  }

  /** What it translates with. */
  override toString(): string {
    const roots = this.roots.map(({ plan, root }) => `${plan.format.name}, root ${hex(root)}`);
    const { walks, entriesRead, entriesWritten } = this.counters;
    return [
      `Mmu ${roots.length === 0 ? 'of physical addresses' : roots.join('; ')}, asid ${this.currentAsid}`,
      `  ${this.tlb.entries} lines; ${walks} walks, ${entriesRead} entries read, ${entriesWritten} written`,
    ].join('\n');
  }

  #prepare(tables: MmuTables<C>): Prepared {
    const known = tables === null ? undefined : this.#prepared.get(tables);
    if (known !== undefined && this.#modes.has(known.mode)) return known;
    const { translations, asid } = tablesOf(tables);
    const prepared = {
      mode: this.#modes.of(translations),
      roots: translations.map(({ root }) => root),
      asid,
    };
    if (tables !== null && Object.isFrozen(tables)) this.#prepared.set(tables, prepared);
    return prepared;
  }

  #enter(): void {
    this.#mode.enter();
    this.roots = this.#mode.roots;
    this.select(this.#mode.index);
  }

  #forgetRange(va: bigint, bytes: bigint, asid: number, globals: boolean): void {
    const pages = ((va & 4095n) + bytes + 4095n) >> 12n;
    // Beyond that it is faster to forget everything.
    if (pages > BigInt(this.tlb.entries)) this.#forgetAll(asid, globals);
    else {
      const { hi, lo } = words(va);
      this.tlb.dropRange(hi, lo, Number(pages), asid, globals);
    }
  }

  #forgetAll(asid: number, globals: boolean): void {
    this.tlb.spaces.retire(asid, globals);
    // A line of an address space that stays may be global: its number alone would let it stay, too.
    if (globals && asid >= 0) this.tlb.dropGlobals();
    this.select(this.#mode.index);
  }
}

/** Tables in the form that a switch takes. */
interface Prepared {
  readonly mode: Mode;
  readonly roots: readonly bigint[];
  readonly asid: number | null;
}

const DEFAULT_ENTRIES = 1024;

function requireCalls(value: unknown, name: string, calls: readonly string[]): void {
  if (value === undefined) return;
  for (const call of calls) {
    if (typeof (value as Record<string, unknown> | null)?.[call] !== 'function') {
      throw new VmError('EINVAL', `${name} has no function ${call}`, {
        advice: `pass an object with ${calls.join(', ')}`,
      });
    }
  }
}
