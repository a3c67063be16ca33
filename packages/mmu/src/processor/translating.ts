import { type Access, type Controls, type PhysicalMemory, VmError } from '@vmarea/core';
import type { ProcessorObserver } from '../processor-observer.js';
import { ACCESSES, accessNumber } from './accesses.js';
import { DataBanks } from './data-banks.js';
import { MmuFault } from './mmu-fault.js';
import type { PathStep } from './path-step.js';
import { BANK, EMPTY, SoftwareTlb, SPACE_SHIFT } from './software-tlb.js';
import type { WalkRoot } from './walk-root.js';
import { Walker } from './walker.js';

/**
 * The part of an `Mmu` that turns addresses into frames: the lines of the TLB, and the walk that fills them.
 *
 * What a hit reads is in members of this one object: each further object would cost a load and a check of its class.
 */
export abstract class Translating {
  /** @internal The lines that a hit reads. With an observer they are empty, so that each access takes the path that tells it. */
  declare protected readonly lines: Int32Array;
  /** @internal The lines of the TLB. */
  declare protected readonly held: Int32Array;
  /** @internal Their frames. */
  declare protected readonly frames: Float64Array;
  /** @internal The words of the main bank. In a detached view each word is undefined; a new view is then taken. */
  declare protected words: Int32Array;
  /** @internal The same, for 64 bits as two words; empty on shared memory. */
  declare protected wide: Int32Array;
  /** @internal The main bank's bytes and 16-bit words. */
  declare protected bytes: Uint8Array;
  /** @internal */
  declare protected halves: Uint16Array;
  /** @internal Where the slot of an address is in its section. */
  declare protected readonly lineMask: number;
  /** @internal Words of a section: the lines of one kind of access. */
  declare protected readonly section: number;
  /** @internal Where sections begin. */
  declare protected readonly writes: number;
  /** @internal */
  declare protected readonly executes: number;
  /** @internal Where the lines of user mode begin, and where in them the current address space's slots do. */
  declare protected users: number;
  /** @internal What a line that the current address space used has beside the address. */
  declare protected own: number;
  /** @internal */
  declare protected readonly tlb: SoftwareTlb;
  /** @internal */
  declare protected readonly banks: DataBanks;
  /** @internal The current roots; none when addresses are physical. */
  protected roots: readonly WalkRoot[] = [];
  /** @internal The current ASID. */
  protected currentAsid = 0;
  readonly #walker: Walker;
  readonly #observer: ProcessorObserver | null;
  readonly #fault: MmuFault = new MmuFault();
  /** The main bank: its index, first frame of 4 KiB and number of frames. */
  readonly #main: number;
  readonly #mainFirst: number;
  readonly #mainFrames: number;
  readonly #isReadOnly: boolean;
  #lastFault: MmuFault | null = null;
  #refills = 0;
  /** Entries that walks without a fault read. */
  #read = 0;

  constructor(memory: PhysicalMemory, entries: number, observer: ProcessorObserver | null) {
    this.tlb = new SoftwareTlb(entries);
    this.held = this.tlb.lines;
    this.lines = observer === null ? this.held : new Int32Array(this.held.length).fill(EMPTY);
    this.frames = this.tlb.frames;
    this.banks = new DataBanks(memory);
    this.lineMask = ((entries - 1) << 2) | 0;
    this.section = (entries * 4) | 0;
    this.writes = (entries * 4) | 0;
    this.executes = (entries * 8) | 0;
    this.users = 0 | 0;
    this.own = 0 | 0;
    this.#walker = new Walker(memory, this.#fault);
    this.#observer = observer;
    this.#main = this.banks.main;
    this.#mainFirst = this.banks.mainFirst;
    this.#mainFrames = this.banks.mainFrames;
    this.#isReadOnly = !this.banks.isMainWritable;
    // Each is written once here: V8 takes a member that never changes as a constant.
    const { words } = this.banks;
    this.words = words;
    this.wide = this.banks.wideOf(words);
    this.bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    this.halves = new Uint16Array(words.buffer, words.byteOffset, words.byteLength / 2);
  }

  /**
   * The last fault; `null` before the first one. It is one object, filled in anew by each fault: copy what you keep.
   */
  get fault(): MmuFault | null {
    return this.#lastFault;
  }

  /** Exact work so far: walks of the tables, entries that they read, and entries in which they set bits. */
  get counters(): { readonly walks: number; readonly entriesRead: number; readonly entriesWritten: number } {
    const { entriesRead, entriesWritten } = this.#walker;
    return { walks: this.#refills, entriesRead: entriesRead + this.#read, entriesWritten };
  }

  /**
   * Translates and checks one access, in words: nothing is allocated, also when the tables must be walked.
   *
   * @param vaHi - bits 63..32 of the address, signed or unsigned.
   * @param vaLo - bits 31..0, likewise.
   * @param kind - what the access does.
   * @param user - true for user mode.
   * @returns the frame in units of 4 KiB, whatever the page size of the format: the physical address is `frame * 4096 + (vaLo & 4095)`.
   *   -1 for a fault, which is then in `fault`.
   * @throws VmError `EINVAL` for another kind.
   */
  translate(vaHi: number, vaLo: number, kind: Access['kind'], user: boolean): number {
    const number = accessNumber(kind, user);
    const { lines } = this;
    const line = this.#lineFor(vaLo, number);
    // -4096 is `PAGE` and -9 all bits but *elsewhere*; below, 8 is *elsewhere* and 16 `SHARED_SHIFT`. data.ts says why.
    if ((((lines[line] as number) ^ (vaLo & -4096)) & -9) === this.own && lines[line + 1] === (vaHi | 0)) {
      return this.frames[line >> 2] as number;
    }
    const isMiss = this.#observer === null && !this.#isShared(line);
    const isFound = isMiss
      ? this.#refill(vaHi | 0, vaLo | 0, number, line)
      : this.look(vaHi | 0, vaLo | 0, number) >= 0;
    return isFound ? (this.frames[line >> 2] as number) : -1;
  }

  /** @internal Looks an address up, and walks if need be. Returns the index of its line; -1 for a fault. */
  protected look(vaHi: number, vaLo: number, number: number): number {
    const line = this.#lineFor(vaLo, number);
    const { held } = this;
    const observer = this.#observer;
    const isHeld = held[line + 1] === vaHi && this.#isHeld(line, vaLo);
    if (observer === null) return isHeld || this.#refill(vaHi, vaLo, number, line) ? line : -1;
    const access = ACCESSES[number] as Access;
    if (isHeld) {
      const pfn = this.#pfnOf(line, vaHi, vaLo);
      observer.use(this.currentAsid, vaHi, vaLo, pfn, access, this.#controlsOf(vaHi, vaLo));
      return line;
    }
    if (this.#refill(vaHi, vaLo, number, line)) {
      const shift = this.#rootOf(vaHi, vaLo)?.leaf?.leafShift ?? 12;
      if (this.roots.length > 0) {
        observer.fill(this.currentAsid, vaHi, vaLo, this.#pfnOf(line, vaHi, vaLo), shift);
      }
      return line;
    }
    observer.fault(this.currentAsid, vaHi, vaLo, access, this.#controlsOf(vaHi, vaLo));
    return -1;
  }

  /** @internal As `look`, but it throws the fault. */
  protected lineOf(vaHi: number, vaLo: number, number: number): number {
    const line = this.look(vaHi, vaLo, number);
    if (line < 0) throw this.#fault;
    return line;
  }

  /** @internal The index of a line's bank; -1 for a frame without bytes. */
  protected bankOf(line: number): number {
    return ((this.held[line + 3] as number) & BANK) - 1;
  }

  /** @internal Takes the current address space's numbers into the members that a hit reads. */
  protected select(mode: number): void {
    const { spaces } = this.tlb;
    spaces.select(mode, this.currentAsid, this.roots);
    this.own = spaces.own << SPACE_SHIFT;
    this.users = this.tlb.usersOf(spaces.own);
  }

  /** @internal Takes new views of the main bank. */
  protected renew(): void {
    const { words } = this.banks;
    this.words = words;
    this.wide = this.banks.wideOf(words);
    this.bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    this.halves = new Uint16Array(words.buffer, words.byteOffset, words.byteLength / 2);
  }

  /** The line that an address has for an access. */
  #lineFor(vaLo: number, number: number): number {
    const slot = (vaLo >>> 10) & this.lineMask;
    if (number < 3) return (slot + Math.imul(number, this.section)) | 0;
    return ((slot ^ this.users) + Math.imul(number - 3, this.section)) | 0;
  }

  /** Whether a line is a global translation, which another address space may have used last. */
  #isShared(line: number): boolean {
    return (this.held[line + 3] as number) >>> 16 !== 0 && this.held[line] !== EMPTY;
  }

  /** Whether a line with the right upper word holds an address. A global translation becomes the current address space's. */
  #isHeld(line: number, vaLo: number): boolean {
    const { held } = this;
    const beside = ((held[line] as number) ^ (vaLo & -4096)) & -9;
    if (beside === this.own) return true;
    if ((beside & -4096) !== 0 || (held[line + 3] as number) >>> 16 !== this.tlb.spaces.shared) return false;
    if (held[line] === EMPTY) return false;
    held[line] = (vaLo & -4096) | this.own | ((held[line] as number) & 8);
    return true;
  }

  /** Walks the tables and fills a line. */
  #refill(vaHi: number, vaLo: number, number: number, line: number): boolean {
    const { held, roots } = this;
    let frame: number;
    let shared = 0;
    this.#refills++;
    if (roots.length === 0) {
      frame = (vaHi >>> 0) * 1048576 + (vaLo >>> 12);
    } else {
      const first = roots[0] as WalkRoot;
      const root = first.has(vaHi, vaLo) ? first : this.#rootOf(vaHi, vaLo);
      frame = root === null ? this.#noRoot(vaHi, vaLo, number) : root.frameOf(vaHi, vaLo, number);
      if (root !== null && frame < 0) frame = this.#walker.walk(root, vaHi, vaLo, number);
      if (root === null || frame < 0) {
        this.#lastFault = this.#fault;
        return false;
      }
      this.#read += root.read;
      const { isGlobal, coverShift } = root.leaf as PathStep;
      if (root.pageShift !== 12) {
        const sub = 2 ** (root.pageShift - 12);
        frame = frame * sub + ((vaLo >>> 12) & (sub - 1));
      }
      if (isGlobal) shared = this.tlb.spaces.shared << 16;
      if (coverShift > 12) this.tlb.noteLeaf(coverShift, vaHi, vaLo);
    }
    if (this.words.length === 0) this.renew();
    const inside = frame - this.#mainFirst;
    let word = (vaLo & -4096) | this.own;
    if (inside >= 0 && inside < this.#mainFrames) {
      held[line + 2] = inside << 10;
      held[line + 3] = shared | (this.#main + 1);
      if (this.#isReadOnly && number % 3 === 1) word |= 8;
    } else {
      word |= 8;
      this.#placeElsewhere(line, frame, shared);
    }
    this.tlb.notePage(vaLo, number >= 3);
    held[line] = word;
    held[line + 1] = vaHi;
    this.frames[line >> 2] = frame;
    return true;
  }

  /** Fills the part of a line that says where its bytes are, for those outside the main bank. */
  #placeElsewhere(line: number, frame: number, shared: number): void {
    const { all } = this.banks;
    this.held[line + 2] = -1;
    this.held[line + 3] = shared;
    // The main bank does not have it.
    if (all.length === 1 && this.#main === 0) return;
    for (let i = 0; i < all.length; i++) {
      const word = all[i]?.wordOf(frame, 12) ?? -1;
      if (word < 0) continue;
      this.held[line + 2] = word;
      this.held[line + 3] = shared | (i + 1);
      return;
    }
  }

  #rootOf(vaHi: number, vaLo: number): WalkRoot | null {
    const { roots } = this;
    for (let i = 0; i < roots.length; i++) {
      const root = roots[i] as WalkRoot;
      if (root.has(vaHi, vaLo)) return root;
    }
    return null;
  }

  /** The fault of an address that no root translates. */
  #noRoot(vaHi: number, vaLo: number, number: number): -1 {
    const { plan, rights } = this.roots[0] as WalkRoot;
    this.#fault.set(plan.format, { kind: 'address', level: 0 }, rights.controls, vaHi, vaLo, number);
    return -1;
  }

  /** Frame of a line in pages of the format that translates its address. */
  #pfnOf(line: number, vaHi: number, vaLo: number): number {
    const shift = this.#rootOf(vaHi, vaLo)?.pageShift ?? 12;
    return Math.floor((this.frames[line >> 2] as number) / 2 ** (shift - 12));
  }

  /** The processor modes of the root that translates an address. */
  #controlsOf(vaHi: number, vaLo: number): Controls | undefined {
    return this.#rootOf(vaHi, vaLo)?.rights.controls;
  }

  /** @internal Tells the observer of an invalidation, or of a flush. */
  protected get watcher(): ProcessorObserver | null {
    return this.#observer;
  }
}

/** The refusal of an access to a frame without bytes, where nobody serves devices. @internal */
export function noBytes(frame: number, offset: number): VmError {
  return new VmError('EFAULT', 'no bytes at this physical address', {
    address: BigInt(frame) * 4096n + BigInt(offset),
    advice: 'the option `io` serves devices',
  });
}
