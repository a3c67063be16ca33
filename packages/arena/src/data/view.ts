import { type FaultResult, type Process, type ThreadCalls, VmError } from '@vmarea/core';
import type { AtomicOperation, Mmu, MmuFault } from '@vmarea/mmu';
import type { ArenaCore } from '../kernel/core.js';
import { type ArenaReport, reportOf } from './report.js';
import { serveKernelFault } from './scratch-fault.js';

/** Whose accesses a view makes. */
export type ViewOf = 'program' | 'kernel' | Process;

/** How often an access is made again that another call stands in the way of. */
const MOST_RETRIES = 100;
/** How often it waits then for another thread: about ten seconds. */
const MOST_WAITS = 10_000;

/**
 * The arena as one processor sees it: accesses by the low half of an arena pointer and a
 * displacement. No call takes or makes a bigint, except those with 64 in their names.
 *
 * - Of a `program`: a load from a page that is not there gives 0, a store to one is dropped, and both are reported. That is
 *   what the JIT's fix-ups do.
 * - Of `kernel` code, such as a kfunc that uses an arena pointer: the scratch page is mapped there, and the access is made. In
 *   a release without it, the access is an error.
 *
 * - Of a process, by user mode: its fault handler is called. When that ends in a signal, the access is an error.
 *
 * A kernel's address is `kernVmStart` + the low half + the displacement; a user's has the upper half of the arena instead. The
 * displacement is signed and has 16 bits. All values are little-endian.
 */
export class ArenaView {
  /** Upper half of the last `load64Words`, signed. */
  high = 0;
  readonly #core: ArenaCore;
  readonly #mmu: Mmu;
  readonly #by: ViewOf;
  readonly #report: ((report: ArenaReport) => void) | undefined;
  readonly #process: Process | null;
  readonly #isUser: boolean;
  readonly #startHi: number;
  readonly #startLo: number;
  readonly #threads: ThreadCalls | null;
  #retries = 0;
  /** The address of the access that runs. */
  #hi = 0;
  #lo = 0;

  /** @internal */
  constructor(core: ArenaCore, mmu: Mmu, by: ViewOf, report: ((report: ArenaReport) => void) | undefined) {
    this.#core = core;
    this.#mmu = mmu;
    this.#by = by;
    this.#report = report;
    this.#process = typeof by === 'string' ? null : by;
    this.#isUser = this.#process !== null;
    this.#threads = core.kernel.threads;
    this.#startHi = this.#isUser ? 0 : core.window.startHi;
    this.#startLo = this.#isUser ? 0 : core.window.startLo;
  }

  /**
   * Loads a byte.
   *
   * @param low - low 32 bits of an arena pointer, signed or unsigned.
   * @param displacement - -32768 to 32767. Default: 0.
   * @returns 0 to 255; 0 when the page is not there.
   * @throws VmError `EINVAL` for a displacement out of range; of kernel code, `EFAULT` for a page that cannot be made. `EINVAL` when
   *   the arena was destroyed.
   */
  load8(low: number, displacement = 0): number {
    this.#aim(low, displacement);
    try {
      return this.#mmu.load8(this.#hi, this.#lo, this.#isUser);
    } catch (error) {
      return this.#recovers(error, low, displacement, false) ? this.load8(low, displacement) : 0;
    }
  }

  /** Loads 16 bits: 0 to 65535. As `load8`, at any alignment. */
  load16(low: number, displacement = 0): number {
    this.#aim(low, displacement);
    try {
      return this.#mmu.load16(this.#hi, this.#lo, this.#isUser);
    } catch (error) {
      return this.#recovers(error, low, displacement, false) ? this.load16(low, displacement) : 0;
    }
  }

  /** Loads 32 bits, signed. As `load8`, at any alignment. */
  loadSigned32(low: number, displacement = 0): number {
    this.#aim(low, displacement);
    try {
      return this.#mmu.loadSigned32(this.#hi, this.#lo, this.#isUser);
    } catch (error) {
      return this.#recovers(error, low, displacement, false) ? this.loadSigned32(low, displacement) : 0;
    }
  }

  /** Loads 64 bits: returns the lower word, signed; `high` has the upper one. As `load8`, at any alignment. */
  load64Words(low: number, displacement = 0): number {
    this.#aim(low, displacement);
    try {
      const lower = this.#mmu.load64Words(this.#hi, this.#lo, this.#isUser);
      this.high = this.#mmu.high;
      return lower;
    } catch (error) {
      this.high = 0;
      return this.#recovers(error, low, displacement, false) ? this.load64Words(low, displacement) : 0;
    }
  }

  /** Stores a byte: the low 8 bits of a value. Dropped when the page is not there. As `load8`. */
  store8(low: number, displacement: number, value: number): void {
    this.#aim(low, displacement);
    try {
      this.#mmu.store8(this.#hi, this.#lo, this.#isUser, value);
    } catch (error) {
      if (this.#recovers(error, low, displacement, true)) this.store8(low, displacement, value);
    }
  }

  /** Stores 16 bits. As `store8`, at any alignment. */
  store16(low: number, displacement: number, value: number): void {
    this.#aim(low, displacement);
    try {
      this.#mmu.store16(this.#hi, this.#lo, this.#isUser, value);
    } catch (error) {
      if (this.#recovers(error, low, displacement, true)) this.store16(low, displacement, value);
    }
  }

  /** Stores 32 bits. As `store8`, at any alignment. */
  store32(low: number, displacement: number, value: number): void {
    this.#aim(low, displacement);
    try {
      this.#mmu.store32(this.#hi, this.#lo, this.#isUser, value);
    } catch (error) {
      if (this.#recovers(error, low, displacement, true)) this.store32(low, displacement, value);
    }
  }

  /** Stores 64 bits in two words. As `store8`, at any alignment: no byte is stored when one of the pages is not there. */
  store64Words(low: number, displacement: number, hi: number, lo: number): void {
    this.#aim(low, displacement);
    try {
      this.#mmu.store64Words(this.#hi, this.#lo, this.#isUser, hi, lo);
    } catch (error) {
      if (this.#recovers(error, low, displacement, true)) this.store64Words(low, displacement, hi, lo);
    }
  }

  /**
   * Replaces 32 bits by what an operation makes of them, as one atomic access.
   *
   * @returns the old value, signed; 0 when the page is not there: then nothing is stored.
   * @throws VmError as `load8`; `EINVAL` for an address that is no multiple of 4, and for another operation.
   */
  atomic32(operation: AtomicOperation, low: number, displacement: number, operand: number): number {
    this.#aim(low, displacement);
    try {
      return this.#mmu.atomic32(operation, this.#hi, this.#lo, this.#isUser, operand);
    } catch (error) {
      return this.#recovers(error, low, displacement, true)
        ? this.atomic32(operation, low, displacement, operand)
        : 0;
    }
  }

  /** The same with 64 bits, unsigned. As `atomic32`, for a multiple of 8. */
  atomic64(operation: AtomicOperation, low: number, displacement: number, operand: bigint): bigint {
    this.#aim(low, displacement);
    try {
      return this.#mmu.atomic64(operation, this.#hi, this.#lo, this.#isUser, operand);
    } catch (error) {
      return this.#recovers(error, low, displacement, true)
        ? this.atomic64(operation, low, displacement, operand)
        : 0n;
    }
  }

  /** Stores 32 bits if the old ones are the expected ones. Returns the old ones, signed. As `atomic32`. */
  compareExchange32(low: number, displacement: number, expected: number, value: number): number {
    this.#aim(low, displacement);
    try {
      return this.#mmu.compareExchange32(this.#hi, this.#lo, this.#isUser, expected, value);
    } catch (error) {
      return this.#recovers(error, low, displacement, true)
        ? this.compareExchange32(low, displacement, expected, value)
        : 0;
    }
  }

  /** The same with 64 bits, unsigned. As `atomic64`. */
  compareExchange64(low: number, displacement: number, expected: bigint, value: bigint): bigint {
    this.#aim(low, displacement);
    try {
      return this.#mmu.compareExchange64(this.#hi, this.#lo, this.#isUser, expected, value);
    } catch (error) {
      return this.#recovers(error, low, displacement, true)
        ? this.compareExchange64(low, displacement, expected, value)
        : 0n;
    }
  }

  /**
   * Loads 32 bits as one access, which no other thread can come into. A process needs the right to write.
   *
   * @returns them, signed; 0 when the page is not there.
   * @throws VmError as `atomic32`.
   */
  loadAcquire32(low: number, displacement = 0): number {
    this.#aim(low, displacement);
    try {
      return this.#mmu.compareExchange32(this.#hi, this.#lo, this.#isUser, 0, 0);
    } catch (error) {
      return this.#recovers(error, low, displacement, this.#isUser)
        ? this.loadAcquire32(low, displacement)
        : 0;
    }
  }

  /** The same with 64 bits, unsigned. */
  loadAcquire64(low: number, displacement = 0): bigint {
    this.#aim(low, displacement);
    try {
      return this.#mmu.compareExchange64(this.#hi, this.#lo, this.#isUser, 0n, 0n);
    } catch (error) {
      return this.#recovers(error, low, displacement, this.#isUser)
        ? this.loadAcquire64(low, displacement)
        : 0n;
    }
  }

  /** Sets the address of an access. */
  #aim(low: number, displacement: number): void {
    if ((displacement << 16) >> 16 !== displacement)
      throw new VmError('EINVAL', `displacement is ${String(displacement)}, expected -32768 to 32767`);
    if (this.#core.isDestroyed) this.#core.requireLive();
    // Another thread may have freed the page, and given its slot to a new one.
    if (this.#threads !== null && this.#threads.isBehind) this.#threads.deliver();
    const sum = this.#startLo + (low >>> 0) + displacement;
    this.#lo = sum | 0;
    this.#hi = (this.#startHi + Math.floor(sum / 4294967296)) | 0;
    // Known only after the first mmap.
    if (this.#isUser) this.#hi = (this.#hi + this.#core.userHigh) | 0;
  }

  /** Handles a fault. @returns true when the access must be made again. Throws every other error on. */
  #recovers(error: unknown, low: number, displacement: number, isWrite: boolean): boolean {
    if (error !== this.#mmu.fault) throw error;
    const core = this.#core;
    if (this.#process !== null) return this.#isServed(this.#process, (error as MmuFault).va, isWrite);
    if (this.#by === 'program') {
      if (core.rules.reports)
        this.#report?.(reportOf(core.userAt(0) + BigInt((low >>> 0) + displacement), isWrite));
      return false;
    }
    // Of an access to two pages, the processor names the byte on the page that faulted.
    const { vaHi, vaLo } = error as MmuFault;
    const from = (vaHi - core.window.startHi) * 4294967296 + ((vaLo >>> 0) - core.window.startLo);
    if (!serveKernelFault(core, from, isWrite, this.#report)) throw noPage(core, from);
    return true;
  }

  /** Calls the fault handler of the process. @returns true. */
  #isServed(process: Process, address: bigint, isWrite: boolean): true {
    const result = process.handleFault(address, isWrite ? 'write' : 'read');
    if (result === 'mapped') this.#retries = 0;
    else if (result !== 'retry') throw signalOf(result, address);
    else this.#wait(address);
    return true;
  }

  /** Another call stands in the way: waits, where it is one of another thread. */
  #wait(address: bigint): void {
    const { sharing } = this.#core;
    if (++this.#retries <= MOST_RETRIES) return;
    if (sharing !== null && this.#retries < MOST_RETRIES + MOST_WAITS) {
      sharing.wait();
      return;
    }
    this.#retries = 0;
    throw new VmError('EAGAIN', 'the page is in the way of another call', { address });
  }
}

function signalOf(result: FaultResult, address: bigint): VmError {
  const what = result === 'OOM' ? 'is out of memory: SIGKILL' : `gets SIG${result}`;
  return new VmError('EFAULT', `the process ${what}`, { address });
}

function noPage(core: ArenaCore, from: number): VmError {
  const { pageBytes } = core.geometry;
  return new VmError('EFAULT', 'kernel code used an arena pointer that nothing maps', {
    address: core.window.start + BigInt(Math.floor(from / pageBytes) * pageBytes),
    advice: core.scratch < 0 ? 'this release has no scratch page' : 'the lower guard is never mapped',
  });
}
