import {
  type MemoryAttributes,
  type MemoryType,
  type Protection,
  protection,
  toBigint,
  VmError,
  type Words,
  words,
} from '@vmarea/core';
import { RISCV_BITS } from './bits.js';
import type { Extensions } from './extensions.js';
import { PMA_TYPES, pbmtField, THEAD_FIELD, type TypeField } from './memory-types.js';

const { V, R, W, X, U, G, A, D, RSW, RSW_60_59, N } = RISCV_BITS;

/** The leaf entries of a format: protections to bits and back. They are alike at every level. */
export class LeafCodec {
  readonly memoryTypes: readonly MemoryType[];
  readonly #type: TypeField;
  /** Bits for software, which `extra` holds as they are. */
  readonly #software: bigint;
  /** Bits of the type field in which a leaf may differ from Linux's, so that `extra` holds the difference. */
  readonly #variants: bigint;
  /** The bits that a change of protection sets. A, D and the software bits stay. */
  readonly #owned: bigint;

  constructor({ svpbmt, thead, svrsw60t59b }: Extensions) {
    this.#type = thead ? THEAD_FIELD : pbmtField(svpbmt);
    this.memoryTypes = this.#type.types;
    this.#software = svrsw60t59b ? RSW | RSW_60_59 : RSW;
    this.#variants = thead ? THEAD_FIELD.mask : 0n;
    this.#owned = V | R | W | X | U | G | this.#type.mask;
  }

  encode(wanted: Protection): Words {
    const { read, write, execute, user, global, accessed, dirty, memory, extra } = wanted;
    if (!read && !write && !execute) {
      throw new VmError('EINVAL', 'read, write and execute are all false: such an entry points to a table', {
        advice: 'unmap a page that nobody may use',
      });
    }
    if (write && !read) {
      throw new VmError('EINVAL', 'write is true and read is false: riscv64 reserves that encoding', {
        advice: 'allow reads too',
      });
    }
    if (!this.memoryTypes.includes(memory)) {
      throw new VmError('EINVAL', `memory is ${memory}, which the format does not have`, {
        advice: `it has ${this.memoryTypes.join(', ')}`,
      });
    }
    const allowed = this.#software | this.#variants;
    if ((extra & ~allowed) !== 0n) {
      const refused = BigInt.asUintN(64, extra & ~allowed).toString(16);
      throw new VmError('EINVAL', `extra has the bits 0x${refused}, which it must not have`, {
        advice: `it may have ${allowed === RSW ? 'the software bits 9:8, ' : ''}0x${allowed.toString(16)}`,
      });
    }
    const type = this.#type.bitsOf(memory) ^ (extra & this.#variants);
    if (this.#type.typeOf(type) !== memory) {
      throw new VmError('EINVAL', `extra 0x${extra.toString(16)} changes the memory type`, {
        advice: 'use the member memory for it',
      });
    }
    let bits = V | type | (extra & this.#software);
    if (read) bits |= R;
    if (write) bits |= W;
    if (execute) bits |= X;
    if (user) bits |= U;
    if (global) bits |= G;
    if (accessed) bits |= A;
    if (dirty) bits |= D;
    return words(bits);
  }

  decode(leaf: Words): Protection {
    const bits = toBigint(leaf);
    const memory = this.#type.typeOf(bits);
    return protection({
      read: (bits & R) !== 0n,
      write: (bits & W) !== 0n,
      execute: (bits & X) !== 0n,
      user: (bits & U) !== 0n,
      global: (bits & G) !== 0n,
      accessed: (bits & A) !== 0n,
      dirty: (bits & D) !== 0n,
      memory,
      extra: (bits & this.#software) | ((bits ^ this.#type.bitsOf(memory)) & this.#variants),
    });
  }

  /** The memory type as a number; without Svpbmt no entry says one. */
  attributes(leaf: Words): MemoryAttributes | null {
    const { mask, types } = this.#type;
    if (types === PMA_TYPES) return null;
    const lowest = mask & -mask;
    return { type: Number((toBigint(leaf) & mask) / lowest), index: null, shareability: null };
  }

  change(leaf: Words, wanted: Protection): Words {
    // A leaf that said its old memory type in another way says the new one as Linux does.
    const type = this.#type.bitsOf(wanted.memory) ^ (wanted.extra & this.#variants);
    const isKept = this.#type.typeOf(type) === wanted.memory;
    const extra = isKept ? wanted.extra : wanted.extra & ~this.#variants;
    const after = toBigint(this.encode({ ...wanted, extra }));
    return words((toBigint(leaf) & ~this.#owned) | (after & this.#owned));
  }

  /** No bit moves between levels; the mark of a run goes. */
  relevel(leaf: Words): Words {
    return words(toBigint(leaf) & ~(N & ~this.#variants));
  }
}
