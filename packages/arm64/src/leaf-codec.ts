import {
  type AddressField,
  type Level,
  type MemoryType,
  type Protection,
  protection,
  toBigint,
  VmError,
  type Words,
  words,
} from '@vmarea/core';
import { ARM64_BITS, TYPE_BLOCK, TYPE_TABLE } from './bits.js';
import { addressMask } from './levels.js';
import type { RightsEncoding } from './rights-encoding.js';

const { TYPE, ATTR_INDX, SH, AF, NG, GP, CONTIGUOUS, SOFTWARE_DIRTY, PO_INDEX } = ARM64_BITS;

const ENTRY = (1n << 64n) - 1n;

/** What differs between the formats of this architecture. */
export interface CodecShape {
  readonly levels: readonly Level[];
  /** The address bits of a descriptor, including those beyond the output size. */
  readonly fields: readonly AddressField[];
  readonly pageShift: number;
  /** TCR_ELx.DS = 1: bits 9:8 are address bits, and TCR has the shareability. */
  readonly lpa2: boolean;
  /** Memory type of each index. */
  readonly types: readonly MemoryType[];
  /** How leaves say what they allow. */
  readonly rights: RightsEncoding;
}

/**
 * The leaf entries of a format: protections to bits and back.
 *
 * Each portable meaning has one entry, the one that Linux writes. `extra` is the exclusive or of a leaf with that entry. No bit
 * is lost, and `extra` is 0 for an entry of Linux.
 */
export class LeafCodec {
  readonly memoryTypes: readonly MemoryType[];
  readonly #shape: CodecShape;
  /** All bits that an address may take at the last level. */
  readonly #address: bigint;
  /**
   * Bits of `extra` that encode a portable meaning in another way than Linux does. Each mask is independent: a change of write
   * permission must not change the index of the memory type. Those of rights come first: without them, a leaf may say something
   * that the others cannot be judged by.
   */
  readonly #variants: readonly bigint[];
  /**
   * The bits that a change takes from the wanted protection. All other bits of the leaf stay.
   *
   * Source: Linux, `pte_modify` in `arch/arm64/include/asm/pgtable.h` (6.12): USER, PXN, UXN, RDONLY, nG, WRITE, GP,
   * AttrIndx and the overlay index.
   */
  readonly #owned: bigint;

  constructor(shape: CodecShape) {
    this.#shape = shape;
    this.#variants = [...shape.rights.variants, ATTR_INDX, SH];
    this.#owned = this.#variants.reduce((all, one) => all | one, GP | PO_INDEX);
    this.#address = addressMask(shape.fields, shape.pageShift);
    this.memoryTypes = Object.freeze([...new Set(shape.types)]);
  }

  encode(wanted: Protection, level: number): Words {
    const { extra } = wanted;
    const plain = this.#plain(wanted, level);
    const foreign = (extra & ~ENTRY) | (extra & (TYPE | this.#addressAt(level) | this.#mark(level)));
    if (foreign !== 0n) {
      throw new VmError('EINVAL', `extra has the bits ${bare(foreign)}, which it must not have`, {
        advice: 'the engine sets type, address and the contiguous bit',
      });
    }
    const bits = plain ^ extra;
    if (!isSame(this.#meaning(bits), wanted)) {
      if (!isSame(this.#meaning(plain), wanted)) throw this.#shape.rights.refusal(wanted);
      throw new VmError('EINVAL', `extra has the bits ${bare(extra)}, which change the protection`, {
        advice: 'use the other members of the protection instead',
      });
    }
    return words(bits);
  }

  decode(leaf: Words, level: number): Protection {
    const bits = toBigint(leaf) & ~(this.#addressAt(level) | this.#mark(level));
    const meaning = this.#meaning(bits);
    return protection({ ...meaning, extra: bits ^ this.#plain(meaning, level) });
  }

  /**
   * Dirtiness follows write permission as in Linux. On a user page (`pte_modify`) bit 55 remembers it and restores it. On a
   * kernel page (`set_memory_ro`, `set_memory_rw`) bit 55 stays, and a page that becomes writable is dirty: nothing handles
   * the fault of a clean kernel page. So PAGE_KERNEL becomes PAGE_KERNEL_RO, then PAGE_KERNEL again.
   *
   * Source: Linux, `arch/arm64/include/asm/pgtable.h` and `arch/arm64/mm/pageattr.c` (6.12).
   */
  change(leaf: Words, wanted: Protection, level: number): Words {
    const before = toBigint(leaf);
    const kept = before & (this.#addressAt(level) | this.#mark(level));
    const now = this.decode(leaf, level);
    const isMarked = (before & SOFTWARE_DIRTY) !== 0n;
    let { dirty } = now;
    let survivors = now.extra & ~this.#owned;
    if (now.write !== wanted.write) {
      dirty = wanted.user ? now.dirty || isMarked : wanted.write || isMarked;
      // In a read-only page the bit is `dirty` itself.
      survivors &= ~SOFTWARE_DIRTY;
      if (wanted.write && isMarked) survivors |= SOFTWARE_DIRTY;
    }
    const target = { ...wanted, accessed: now.accessed, dirty };
    const plain = this.#plain(target, level);
    const owned = wanted.extra & this.#owned;
    let bits = plain ^ (survivors | (owned & (GP | PO_INDEX)));
    for (const variant of this.#variants) {
      // A leaf with another encoding gets Linux's encoding of the new meaning.
      const varied = bits ^ (owned & variant);
      if (isSame(this.#meaning(varied), target)) bits = varied;
    }
    if (!isSame(this.#meaning(bits), target)) throw this.#shape.rights.refusal(target);
    return words(bits | kept);
  }

  relevel(leaf: Words, from: number, to: number): Words {
    let bits = toBigint(leaf) & ~(this.#mark(from) | this.#mark(to));
    // The bits below a block's address (nT, RES0) are address bits in a smaller leaf.
    if (from !== to) bits = (bits & ~(TYPE | this.#address)) | this.#type(to);
    return words(bits);
  }

  /** The entry that Linux writes for a protection, without `extra`. */
  #plain(wanted: Protection, level: number): bigint {
    const index = this.#shape.types.indexOf(wanted.memory);
    if (index === -1) {
      throw new VmError('EINVAL', `memory is ${wanted.memory}, which MAIR does not have`, {
        advice: `it has ${this.memoryTypes.join(', ')}`,
      });
    }
    let bits = this.#type(level) | (BigInt(index) << 2n);
    if (!this.#shape.lpa2) bits |= SH;
    if (wanted.accessed) bits |= AF;
    if (!wanted.global) bits |= NG;
    return bits | this.#shape.rights.bitsOf(wanted);
  }

  /** The protection in a leaf's bits, with `extra` 0. */
  #meaning(bits: bigint): Protection {
    const has = (bit: bigint): boolean => (bits & bit) !== 0n;
    return protection({
      ...this.#shape.rights.rightsOf(bits),
      global: !has(NG),
      memory: this.#shape.types[Number((bits & ATTR_INDX) >> 2n)] as MemoryType,
      accessed: has(AF),
    });
  }

  #type(level: number): bigint {
    return this.#leafLevel(level).shift === this.#shape.pageShift ? TYPE_TABLE : TYPE_BLOCK;
  }

  /** The bits that mark a run at a level. At a level without runs, bit 52 is an ordinary bit. */
  #mark(level: number): bigint {
    return this.#leafLevel(level).run === null ? 0n : CONTIGUOUS;
  }

  #addressAt(level: number): bigint {
    return addressMask(this.#shape.fields, this.#leafLevel(level).shift);
  }

  #leafLevel(level: number): Level {
    const { levels } = this.#shape;
    const found = levels[level];
    if (found === undefined || found.leaf === null) {
      const names = levels.flatMap((l, i) => (l.leaf === null ? [] : `${i} (${l.name})`));
      throw new VmError('EINVAL', `level ${level} has no leaves`, { advice: `use ${names.join(', ')}` });
    }
    return found;
  }
}

/** True when two protections are equal, apart from `extra`. */
function isSame(a: Protection, b: Protection): boolean {
  return (Object.keys(a) as (keyof Protection)[]).every(
    (member) => member === 'extra' || a[member] === b[member],
  );
}

function bare(bits: bigint): string {
  return `0x${BigInt.asUintN(64, bits).toString(16)}`;
}
