import { checkAddress } from '../check/address.js';
import { flagOption, wrongValue } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { shown, VmError } from '../errors.js';
import type { LoopProvider, WebAssemblyMemoryLike } from '../loops/loop-provider.js';
import type { EntryReader, RunLoops } from '../loops/run-loops.js';
import { SharedEntries } from '../loops/shared-entries.js';
import {
  BANK_ALIGNMENT,
  type BankSource,
  type ByteBank,
  type CreatedBank,
  checkCount,
  type GivenBank,
  type MakeLoops,
  PHYSICAL_ADDRESS_BITS,
} from './bank.js';
import { isBuffer, isShared, makeBuffer } from './host.js';

const CREATED = ['bytes', 'base', 'shared', 'loops'] as const;
const GIVEN = ['source', 'base', 'byteOffset', 'bytes', 'writable', 'loops'] as const;

/** A bank whose bytes follow each other as their physical addresses do. */
export class LinearBank implements ByteBank {
  readonly base: bigint;
  readonly bytes: number;
  readonly writable: boolean;
  readonly linear: boolean = true;
  readonly start: number;
  readonly end: number;
  loops: RunLoops | null = null;
  readonly #source: BankSource;
  readonly #byteOffset: number;
  readonly #shared: boolean;
  /** `start` in words. It is below 2^50, so arithmetic in doubles is exact. */
  readonly #firstWord: number = 0;
  readonly #wordCount: number = 0;
  /** Chosen at the first read. */
  #reader: EntryReader | null = null;
  #hasScratch = false;
  #words: Int32Array;
  #quads: BigUint64Array;

  private constructor(
    source: BankSource,
    base: bigint,
    byteOffset: number,
    bytes: number,
    writable: boolean,
    makeLoops: ((bank: LinearBank) => RunLoops) | null,
  ) {
    this.base = base;
    this.bytes = bytes;
    this.writable = writable;
    this.start = Number(base);
    this.end = this.start + bytes;
    this.#source = source;
    this.#byteOffset = byteOffset;
    this.#shared = isShared(bufferOf(source));
    this.#firstWord = this.start / 4;
    this.#wordCount = bytes / 4;
    this.#words = new Int32Array(bufferOf(source), byteOffset, bytes / 4);
    this.#quads = new BigUint64Array(bufferOf(source), byteOffset, bytes / 8);
    if (makeLoops !== null) this.loops = makeLoops(this);
  }

  /** A bank of new zero bytes; see `PhysicalMemory.create`. */
  static create(given: CreatedBank): LinearBank {
    const o = optionsOf<Partial<CreatedBank>>(given, CREATED, 'a bank') as CreatedBank;
    const { base = 0n, bytes, loops } = o;
    const shared = flagOption(o, 'shared', false);
    checkPlace(base, bytes);
    checkProvider(loops);
    const place = loops?.create(bytes, shared) ?? null;
    if (loops === undefined || place === null)
      return new this(makeBuffer(bytes, shared, 'a bank'), base, 0, bytes, true, null);
    const bank = new this(place.memory, base, place.byteOffset, bytes, true, (one) => loops.over(one, place));
    bank.#hasScratch = place.scratch !== null;
    return bank;
  }

  /**
   * A bank over existing bytes; see `PhysicalMemory.over`.
   *
   * @param scratch - as `LoopPlace.scratch`.
   */
  static over(given: GivenBank, scratch: number | null = null): LinearBank {
    const o = optionsOf<Partial<GivenBank>>(given, GIVEN, 'a bank') as GivenBank;
    const { source, base = 0n, byteOffset = 0, loops } = o;
    const writable = flagOption(o, 'writable', true);
    checkSource(source);
    checkProvider(loops);
    if (loops !== undefined && isBuffer(source))
      throw new VmError('EINVAL', '`loops` work on a WebAssembly.Memory, and the source is a buffer', {
        advice: 'leave `loops` out, or let PhysicalMemory.create make the memory',
      });
    checkCount(byteOffset, 'byteOffset');
    if (byteOffset % 8 !== 0) throw new VmError('EINVAL', `byteOffset ${byteOffset} is not a multiple of 8`);
    const { byteLength } = bufferOf(source);
    const { bytes = Math.max(0, byteLength - byteOffset) } = o;
    checkPlace(base, bytes);
    if (byteOffset + bytes > byteLength) {
      throw new VmError(
        'EINVAL',
        `a bank of ${bytes} bytes from byte ${byteOffset} on does not fit into a source of ${byteLength} bytes`,
      );
    }
    const made = new this(source, base, byteOffset, bytes, writable, loops === undefined ? null : loopsOf);
    made.#hasScratch = scratch !== null;
    return made;

    function loopsOf(bank: LinearBank): RunLoops {
      const memory = source as WebAssemblyMemoryLike;
      return (loops as LoopProvider).over(bank, {
        ...{ memory, byteOffset, isShared: isShared(memory.buffer), scratch },
      });
    }
  }

  /** Where its bytes are, for another thread; `hasScratch` when its loops have made their memory. */
  get origin(): { source: BankSource; byteOffset: number; hasScratch: boolean } {
    return { source: this.#source, byteOffset: this.#byteOffset, hasScratch: this.#hasScratch };
  }

  useLoops(make: MakeLoops): void {
    this.loops ??= make(this, this.#shared);
  }

  get atomic(): EntryReader | null {
    return this.#shared ? (this.#reader ?? this.#chooseReader()) : null;
  }

  get words(): Int32Array {
    // Growth of a WebAssembly.Memory, a transfer, and a shrink below the bank's end all make the length of
    // an old view 0. To read that length costs nothing. To ask a WebAssembly.Memory for its buffer is a call
    // into the host.
    const words = this.#words;
    return words.length === 0 ? this.#refresh() : words;
  }

  wordAt(low: number, high: number, pageShift: number): number {
    return this.wordOf(high * 4294967296 + (low >>> 0), pageShift);
  }

  wordOf(pfn: number, pageShift: number): number {
    const frameWords = 1 << (pageShift - 2);
    const word = pfn * frameWords - this.#firstWord;
    // Written so that NaN fails. A fraction cannot name a frame.
    return word >= 0 && word <= this.#wordCount - frameWords && Number.isInteger(pfn) ? word : -1;
  }

  offsetOf(address: number): number {
    return address >= this.start && address < this.end ? address - this.start : -1;
  }

  adjacent(address: number): number {
    return this.offsetOf(address) < 0 ? 0 : this.end - address;
  }

  // On shared memory every access is one atomic: another thread could see two plain 32-bit halves torn.
  read32(offset: number): number {
    const { words } = this;
    return (this.#shared ? Atomics.load(words, offset / 4) : (words[offset / 4] as number)) >>> 0;
  }

  read64(offset: number): bigint {
    const quads = this.#freshQuads();
    return this.#shared ? Atomics.load(quads, offset / 8) : (quads[offset / 8] as bigint);
  }

  write32(offset: number, value: number): void {
    const { words } = this;
    if (this.#shared) Atomics.store(words, offset / 4, value);
    else words[offset / 4] = value;
  }

  write64(offset: number, value: bigint): void {
    const quads = this.#freshQuads();
    if (this.#shared) Atomics.store(quads, offset / 8, value);
    else quads[offset / 8] = value;
  }

  #chooseReader(): EntryReader {
    const reader = this.loops?.kind === 'wasm' ? this.loops : new SharedEntries(this);
    this.#reader = reader;
    return reader;
  }

  #freshQuads(): BigUint64Array {
    if (this.#quads.length === 0) this.#refresh();
    return this.#quads;
  }

  #refresh(): Int32Array {
    try {
      const buffer = bufferOf(this.#source);
      this.#quads = new BigUint64Array(buffer, this.#byteOffset, this.bytes / 8);
      this.#words = new Int32Array(buffer, this.#byteOffset, this.bytes / 4);
      return this.#words;
    } catch (cause) {
      throw new VmError('EFAULT', 'the buffer of this bank was transferred away or shrunk', {
        address: this.base,
        cause,
      });
    }
  }
}

function checkProvider(loops: unknown): void {
  const { create, over } = (loops ?? {}) as { create?: unknown; over?: unknown };
  if (loops === undefined || (typeof create === 'function' && typeof over === 'function')) return;
  throw new VmError('EINVAL', `\`loops\` is ${shown(loops)}`, { advice: 'pass wasmLoops, or leave it out' });
}

function bufferOf(source: BankSource): ArrayBuffer | SharedArrayBuffer {
  return isBuffer(source) ? source : source.buffer;
}

function checkSource(source: unknown): void {
  if (isBuffer(source)) return;
  if (ArrayBuffer.isView(source)) {
    // It also has a `buffer`, but its bytes are only a part of that.
    throw new VmError('EINVAL', 'a typed array is not a source for a bank', {
      advice: 'give its buffer, with byteOffset and bytes',
    });
  }
  const inner = (source as { readonly buffer?: unknown } | null | undefined)?.buffer;
  if (!isBuffer(inner)) {
    throw new VmError(
      'EINVAL',
      'the source of a bank must be an ArrayBuffer, a SharedArrayBuffer or a WebAssembly.Memory',
    );
  }
}

function checkPlace(base: unknown, bytes: unknown): void {
  checkAddress(base, 'the base of the bank');
  if (base % BigInt(BANK_ALIGNMENT) !== 0n)
    throw wrongValue('the base of the bank', base, `a multiple of ${BANK_ALIGNMENT} bytes`);
  if (!Number.isSafeInteger(bytes) || (bytes as number) <= 0 || (bytes as number) % BANK_ALIGNMENT !== 0) {
    throw wrongValue(
      'the length of the bank',
      bytes,
      `a multiple of ${BANK_ALIGNMENT} bytes, as a number above 0`,
    );
  }
  if (base + BigInt(bytes as number) > 1n << BigInt(PHYSICAL_ADDRESS_BITS)) {
    throw new VmError(
      'EINVAL',
      `a bank of ${shown(bytes)} bytes here ends beyond 2^${PHYSICAL_ADDRESS_BITS}`,
      {
        address: base,
      },
    );
  }
}
