import { type Level, type Match, mask, type Rule, type Run, type Shape, words, ZERO } from '@vmarea/core';
import { INDEX_BITS, NAPOT_SHIFT, PAGE_SHIFT, PPN_SHIFT, RISCV_BITS } from './bits.js';
import { riscvNames } from './entry-names.js';
import type { Extensions } from './extensions.js';

const { V, R, W, X, U, A, D, RESERVED, RSW_60_59, THEAD, PBMT, N } = RISCV_BITS;

/** Linux's names from the last level up. The root is always PGD. */
const NAMES = ['PTE', 'PMD', 'PUD', 'P4D', 'PGD'] as const;

/**
 * The levels of a walk, root first. All have leaves.
 *
 * Source: RISC-V privileged specification, "Sv32: Virtual Address Translation Process" (steps 3 to 6, which hold for Sv39,
 * Sv48 and Sv57 with other numbers of levels).
 *
 * @param depth - 3, 4 or 5.
 */
export function riscvLevels(depth: number, extensions: Extensions): readonly Level[] {
  return Object.freeze(
    Array.from({ length: depth }, (_, index): Level => {
      const up = depth - 1 - index;
      return Object.freeze({
        name: index === 0 ? 'PGD' : (NAMES[up] as string),
        shift: PAGE_SHIFT + INDEX_BITS * up,
        bits: INDEX_BITS,
        table: up === 0 ? null : tableShape(extensions),
        leaf: leafShape(up, extensions),
        run: up === 0 && extensions.svnapot ? NAPOT : null,
      });
    }),
  );
}

/** Svnapot: sixteen equal leaves of 4 KiB with PPN[3:0] = 1000. Other patterns are reserved. */
const NAPOT: Run = Object.freeze({
  entries: 2 ** (NAPOT_SHIFT - PAGE_SHIFT),
  style: 'napot',
  set: Object.freeze(words(N)),
});
const NAPOT_PATTERN = { bits: mask(PPN_SHIFT, PPN_SHIFT + 3), value: mask(PPN_SHIFT + 3, PPN_SHIFT + 3) };

/** An entry that points to a table: R, W and X are 0. "For non-leaf PTEs, the D, A, and U bits are reserved"; N and PBMT too. */
function tableShape(extensions: Extensions): Shape {
  const upper = (N | PBMT | RESERVED) & ~freeBits(extensions);
  return Object.freeze({
    match: match(V | R | W | X, V),
    rules: Object.freeze([zero(D | A | U | upper)]),
    names: riscvNames('table', false, extensions),
  });
}

/** Upper bits that the MMU takes for no reason to fault: software's, or T-Head's. */
function freeBits({ svrsw60t59b, thead }: Extensions): bigint {
  if (thead) return THEAD;
  return svrsw60t59b ? RSW_60_59 : 0n;
}

/**
 * A valid entry that is not a table: tables are tried first. At the last level R, W and X clear is reserved.
 *
 * @param up - levels above the last one.
 */
function leafShape(up: number, extensions: Extensions): Shape {
  const { svnapot, svpbmt, thead } = extensions;
  const names = riscvNames('leaf', up === 0, extensions);
  const rules = [never(R | W | X, 0n), never(R | W, W), zero(RESERVED & ~freeBits(extensions))];
  if (thead) {
    if (up > 0) rules.push(zero(mask(PPN_SHIFT, PPN_SHIFT + INDEX_BITS * up - 1)));
    return Object.freeze({ match: match(V, V), rules: Object.freeze(rules), names });
  }
  rules.push(svpbmt ? never(PBMT, PBMT) : zero(PBMT));
  if (up > 0) {
    // A superpage must be aligned, and N "must be zero".
    rules.push(zero(mask(PPN_SHIFT, PPN_SHIFT + INDEX_BITS * up - 1)), zero(N));
  } else if (!svnapot) {
    rules.push(zero(N));
  } else {
    const { bits, value } = NAPOT_PATTERN;
    rules.push(
      Object.freeze({ when: match(N, N), ...match(bits, value), must: 'equal', fault: 'reserved' } as const),
    );
  }
  return Object.freeze({ match: match(V, V), rules: Object.freeze(rules), names });
}

function match(bits: bigint, value: bigint): Match {
  return Object.freeze({ mask: Object.freeze(words(bits)), value: Object.freeze(words(value)) });
}

/** Bits that must be 0. */
function zero(bits: bigint): Rule {
  return Object.freeze({
    mask: Object.freeze(words(bits)),
    value: ZERO,
    must: 'equal',
    fault: 'reserved',
  });
}

/** Bits that must not have one value. */
function never(bits: bigint, value: bigint): Rule {
  return Object.freeze({ ...match(bits, value), must: 'differ', fault: 'reserved' });
}
