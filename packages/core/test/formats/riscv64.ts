import type { Level, Match, PageTableFormat, Permissions, Protection, Rule, Words } from '@vmarea/core';
import { mask, protection, toBigint, VmError, words, ZERO } from '@vmarea/core';

/**
 * riscv64 Sv39, Sv48 and Sv57 with Svnapot and Svpbmt, written as data to prove that the contract can
 * hold it (RISC-V privileged specification, Sv39 to Sv57; chapters "Svnapot" and "Svpbmt").
 */
const V = 1n;
const R = 1n << 1n;
const W = 1n << 2n;
const X = 1n << 3n;
const U = 1n << 4n;
const G = 1n << 5n;
const A = 1n << 6n;
const D = 1n << 7n;
const PBMT = 3n << 61n;
const N = 1n << 63n;
const TYPES = ['normal', 'write-combining', 'device'] as const;
const NAMES = ['PTE', 'PMD', 'PUD', 'P4D', 'PGD'];

const match = (bitMask: bigint, value: bigint): Match => ({ mask: words(bitMask), value: words(value) });
const zero = (bitMask: bigint): Rule => ({
  mask: words(bitMask),
  value: ZERO,
  must: 'equal',
  fault: 'reserved',
});
const never = (bitMask: bigint, value: bigint): Rule => ({
  ...match(bitMask, value),
  must: 'differ',
  fault: 'reserved',
});

export function riscv64(depth: 3 | 4 | 5): PageTableFormat {
  const last = depth - 1;
  const levels: Level[] = Array.from({ length: depth }, (_, index) => {
    const shift = 12 + 9 * (last - index);
    const misaligned = index === last ? [] : [zero(mask(10, 10 + (shift - 12) - 1))];
    const napot: Rule[] =
      index === last
        ? // N set: only the 64 KiB size, PPN[3:0] = 1000, is defined.
          [{ when: match(N, N), ...match(mask(10, 13), 8n << 10n), must: 'equal', fault: 'reserved' }]
        : [zero(N)];
    return {
      name: index === 0 ? 'PGD' : (NAMES[last - index] as string),
      shift,
      bits: 9,
      // "If pte.r=0 and pte.x=0 this is a pointer": D, A, U, N and PBMT are reserved in one.
      table:
        index === last
          ? null
          : { match: match(V | R | W | X, V), rules: [zero(D | A | U | N | PBMT | mask(54, 60))] },
      // Anything else that is valid; W without R and, in a pointer's place at the last level, nothing at all.
      leaf: {
        match: match(V, V),
        rules: [
          never(R | W | X, 0n),
          never(R | W, W),
          never(PBMT, PBMT),
          zero(mask(54, 60)),
          ...misaligned,
          ...napot,
        ],
      },
      run: index === last ? { entries: 16, style: 'napot', set: words(N) } : null,
    };
  });
  const portable = V | R | W | X | U | G | PBMT;
  const field = mask(10, 53);

  const format: PageTableFormat = {
    name: `riscv64-sv${12 + 9 * depth}`,
    pageShift: 12,
    paBits: 56,
    range: { bits: 12 + 9 * depth, upper: 'sign' },
    present: match(V, V),
    levels,
    address: [{ entryBit: 10, paBit: 12, width: 44 }],
    tableEntry: words(V),
    memoryTypes: TYPES,
    controls: {},
    encode(p: Protection, _level: number): Words {
      const type = TYPES.indexOf(p.memory as (typeof TYPES)[number]);
      if (type < 0) throw new VmError('EINVAL', `memory type ${p.memory} is not one of Svpbmt's`);
      if (p.write && !p.read) throw new VmError('EINVAL', 'write without read is a reserved encoding');
      let entry = V | (BigInt(type) << 61n) | p.extra;
      if (p.read) entry |= R;
      if (p.write) entry |= W;
      if (p.execute) entry |= X;
      if (p.user) entry |= U;
      if (p.global) entry |= G;
      if (p.accessed) entry |= A;
      if (p.dirty) entry |= D;
      return words(entry);
    },
    decode(leaf: Words, _level: number): Protection {
      const e = toBigint(leaf);
      return protection({
        read: (e & R) !== 0n,
        write: (e & W) !== 0n,
        execute: (e & X) !== 0n,
        user: (e & U) !== 0n,
        global: (e & G) !== 0n,
        accessed: (e & A) !== 0n,
        dirty: (e & D) !== 0n,
        memory: TYPES[Number((e >> 61n) & 3n)] ?? 'normal',
        extra: e & ~(portable | A | D | N | field),
      });
    },
    change: (leaf, wanted, level) =>
      words((toBigint(leaf) & ~portable) | (toBigint(format.encode(wanted, level)) & portable)),
    relevel: (leaf) => words(toBigint(leaf) & ~N),
    needsBreak: () => false,
    permissions(path): Permissions {
      const e = toBigint(path[path.length - 1] as Words);
      const allowed = { read: (e & R) !== 0n, write: (e & W) !== 0n, execute: (e & X) !== 0n };
      const none = { read: false, write: false, execute: false };
      return (e & U) !== 0n ? { kernel: none, user: allowed } : { kernel: allowed, user: none };
    },
    check(path, access, controls) {
      const level = path.length - 1;
      const allowed = this.permissions(path, controls)[access.user ? 'user' : 'kernel'];
      if (!allowed[access.kind]) return { kind: 'permission', level };
      const e = toBigint(path[level] as Words);
      const wanted = access.kind === 'write' ? A | D : A;
      return (e & wanted) === wanted ? null : { kind: 'access-flag', level };
    },
    // Svade: hardware sets nothing.
    touch: (entry) => entry,
    // Page faults; access faults where a table has no bytes.
    faultCode: ({ kind }, access) => ({
      name: 'scause',
      code:
        kind === 'external'
          ? { execute: 1, read: 5, write: 7 }[access.kind]
          : { execute: 12, read: 13, write: 15 }[access.kind],
    }),
  };
  return format;
}
