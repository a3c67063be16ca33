import {
  type Level,
  type MemoryType,
  type Protection,
  protection,
  toBigint,
  VmError,
  type Words,
  words,
} from '@vmarea/core';
import { PAGE_SHIFT, X86_BITS } from './bits.js';
import { CACHING, cachingOf, patIndexOf } from './memory-types.js';

const { P, RW, US, A, D, PS, PAT, PAT_LARGE, G, NX, SOFTWARE, SOFTWARE_HIGH, PKEY } = X86_BITS;

/** The leaf entries of a format: protections to bits and back. */
export class LeafCodec {
  readonly memoryTypes: readonly MemoryType[];
  readonly #levels: readonly Level[];
  /** Memory type of each PAT index. */
  readonly #types: readonly MemoryType[];
  readonly #nxe: boolean;
  /** Bits that `extra` may have, apart from the caching bits. */
  readonly #extra: bigint;

  /**
   * @param types - memory type of each PAT index.
   * @param nxe - EFER.NXE.
   * @param own - the encryption bit or the shared bit as a mask, 0n for none.
   */
  constructor(levels: readonly Level[], types: readonly MemoryType[], nxe: boolean, own: bigint) {
    this.#levels = levels;
    this.#types = types;
    this.#nxe = nxe;
    this.#extra = SOFTWARE | SOFTWARE_HIGH | PKEY | own;
    this.memoryTypes = Object.freeze([...new Set(types)]);
  }

  encode(wanted: Protection, level: number): Words {
    const large = this.#isLarge(level);
    if (!wanted.read)
      throw new VmError('EINVAL', 'read is false, but every mapped page is readable on x86-64');
    if (!wanted.execute && !this.#nxe) {
      throw new VmError('EINVAL', 'execute is false, but without EFER.NXE every page is executable');
    }
    const { extra } = wanted;
    const refused = extra & ~(this.#extra | CACHING);
    if (refused !== 0n) {
      throw new VmError('EINVAL', `extra has the bits ${bare(refused)}, which it must not have`, {
        advice: `it may have ${bare(this.#extra)}`,
      });
    }
    let bits = P | (extra & this.#extra);
    if (wanted.write) bits |= RW;
    if (wanted.user) bits |= US;
    if (wanted.accessed) bits |= A;
    if (wanted.dirty) bits |= D;
    if (wanted.global) bits |= G;
    if (!wanted.execute) bits |= NX;
    bits |= this.#caching(wanted);
    return words(large ? toLarge(bits) : bits);
  }

  decode(leaf: Words, level: number): Protection {
    const large = this.#isLarge(level);
    const bits = large ? toSmall(toBigint(leaf)) : toBigint(leaf);
    const index = patIndexOf(bits);
    const memory = this.#types[index] as MemoryType;
    const caching = index === this.#types.indexOf(memory) ? 0n : bits & CACHING;
    return protection({
      write: (bits & RW) !== 0n,
      execute: (bits & NX) === 0n,
      user: (bits & US) !== 0n,
      global: (bits & G) !== 0n,
      memory,
      accessed: (bits & A) !== 0n,
      dirty: (bits & D) !== 0n,
      extra: (bits & this.#extra) | caching,
    });
  }

  /** The caching bits of a leaf, as a 4 KiB leaf has them. */
  cachingAt(leaf: Words, level: number): bigint {
    const bits = toBigint(leaf);
    return (this.#isLarge(level) ? toSmall(bits) : bits) & CACHING;
  }

  change(leaf: Words, wanted: Protection, level: number): Words {
    const owned = P | RW | US | CACHING | G | PKEY | NX | (this.#isLarge(level) ? PS | PAT_LARGE : 0n);
    const before = toBigint(leaf);
    const after = (before & ~owned) | (toBigint(this.encode(wanted, level)) & owned);
    // Linux clears D together with RW (pte_wrprotect, set_memory_ro): D alone would make a shadow-stack page.
    const losesWrite = (before & RW) !== 0n && (after & RW) === 0n;
    return words(losesWrite ? after & ~D : after);
  }

  relevel(leaf: Words, from: number, to: number): Words {
    const isLarge = this.#isLarge(from);
    if (isLarge === this.#isLarge(to)) return { lo: leaf.lo, hi: leaf.hi };
    const bits = toBigint(leaf);
    return words(isLarge ? toSmall(bits) : toLarge(bits));
  }

  /** The caching bits of a 4 KiB leaf: those of the lowest index with the type, or of the index that `extra` selects. */
  #caching({ memory, extra }: Protection): bigint {
    const lowest = this.#types.indexOf(memory);
    if (lowest === -1) {
      throw new VmError('EINVAL', `memory is ${memory}, which the PAT does not have`, {
        advice: `it has ${this.memoryTypes.join(', ')}`,
      });
    }
    const named = extra & CACHING;
    if (named === 0n) return cachingOf(lowest);
    const type = this.#types[patIndexOf(named)];
    if (type !== memory) {
      throw new VmError(
        'EINVAL',
        `extra has the caching bits ${bare(named)}, which mean ${type}, not ${memory}`,
      );
    }
    return named;
  }

  /** True when leaves of a level are larger than the base page. */
  #isLarge(level: number): boolean {
    const { leaf, shift } = this.#levels[level] ?? { leaf: null, shift: 0 };
    if (leaf === null) {
      const names = this.#levels.flatMap((l, i) => (l.leaf === null ? [] : `${i} (${l.name})`));
      throw new VmError('EINVAL', `level ${level} has no leaves`, { advice: `use ${names.join(', ')}` });
    }
    return shift > PAGE_SHIFT;
  }
}

/**
 * Moves the bits of a 4 KiB leaf to their places in a larger leaf: PAT at 12, PS set. Linux's `protval_4k_2_large`.
 *
 * PAT replaces address bit 12, which is 0 in every leaf that is aligned to the larger size.
 */
function toLarge(bits: bigint): bigint {
  const pat = (bits & PAT) === 0n ? 0n : PAT_LARGE;
  return (bits & ~(PAT | PAT_LARGE)) | pat | PS;
}

/** Moves the bits of a larger leaf to their places in a 4 KiB leaf: PAT at 7. Linux's `protval_large_2_4k`. */
function toSmall(bits: bigint): bigint {
  const pat = (bits & PAT_LARGE) === 0n ? 0n : PAT;
  return (bits & ~(PS | PAT_LARGE)) | pat;
}

function bare(bits: bigint): string {
  return `0x${BigInt.asUintN(64, bits).toString(16)}`;
}
