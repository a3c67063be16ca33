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
import { PBMT_SHIFT, PBMT_TYPES, PMA_TYPES } from './memory-types.js';

const { V, R, W, X, U, G, A, D, RSW, PBMT, N } = RISCV_BITS;

/** The bits that a change of protection sets. A, D and RSW stay. */
const OWNED = V | R | W | X | U | G | PBMT;

/** The leaf entries of a format: protections to bits and back. They are alike at every level. */
export class LeafCodec {
  readonly memoryTypes: readonly MemoryType[];

  /** @param svpbmt - whether bits 62:61 are a memory type. */
  constructor(svpbmt: boolean) {
    this.memoryTypes = svpbmt ? PBMT_TYPES : PMA_TYPES;
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
    const type = this.memoryTypes.indexOf(memory);
    if (type < 0) {
      throw new VmError('EINVAL', `memory is ${memory}, which the format does not have`, {
        advice: `it has ${this.memoryTypes.join(', ')}`,
      });
    }
    if ((extra & ~RSW) !== 0n) {
      const refused = BigInt.asUintN(64, extra & ~RSW).toString(16);
      throw new VmError('EINVAL', `extra has the bits 0x${refused}, which it must not have`, {
        advice: 'it may have the software bits 9:8, 0x300',
      });
    }
    let bits = V | (BigInt(type) << PBMT_SHIFT) | extra;
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
    return protection({
      read: (bits & R) !== 0n,
      write: (bits & W) !== 0n,
      execute: (bits & X) !== 0n,
      user: (bits & U) !== 0n,
      global: (bits & G) !== 0n,
      accessed: (bits & A) !== 0n,
      dirty: (bits & D) !== 0n,
      memory: this.memoryTypes[Number((bits & PBMT) >> PBMT_SHIFT)] ?? 'normal',
      extra: bits & RSW,
    });
  }

  /** PBMT; without Svpbmt no entry says its memory type. */
  attributes(leaf: Words): MemoryAttributes | null {
    if (this.memoryTypes === PMA_TYPES) return null;
    return { type: Number((toBigint(leaf) & PBMT) >> PBMT_SHIFT), index: null, shareability: null };
  }

  change(leaf: Words, wanted: Protection): Words {
    return words((toBigint(leaf) & ~OWNED) | (toBigint(this.encode(wanted)) & OWNED));
  }

  /** No bit moves between levels; the mark of a run goes. */
  relevel(leaf: Words): Words {
    return words(toBigint(leaf) & ~N);
  }
}
