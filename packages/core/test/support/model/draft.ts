import fc from 'fast-check';

/**
 * A call before the contents of the tables are known: small numbers that `resolve` turns into a range, frames and choices, so that
 * fast-check shrinks it well.
 */
export interface Draft {
  readonly op:
    | 'map'
    | 'mapRun'
    | 'mapUnit'
    | 'unmap'
    | 'protect'
    | 'split'
    | 'collapse'
    | 'prepare'
    | 'tablesNeeded'
    | 'applyToRange'
    | 'applyToExisting'
    | 'reclaim'
    | 'done'
    | 'mark'
    | 'software'
    | 'use'
    | 'hide';
  /** Below 8: a place where levels meet; else a leaf, a block, a leaf of a run, a full table that exists. */
  readonly anchor: number;
  /** Where in it the range begins. */
  readonly inside: number;
  readonly which: number;
  readonly offset: number;
  readonly size: number;
  readonly frame: number;
  readonly protection: number;
  readonly cap: number;
  readonly choice: number;
  readonly batch: number;
  /** Which follow-up comes after the call, on the same range. */
  readonly follow: number;
  readonly actions: readonly number[];
}

type Operation = Draft['op'];

const MAPS: readonly Operation[] = ['map', 'mapRun', 'mapUnit', 'mapUnit'];

const OPERATIONS: readonly { weight: number; op: Operation }[] = [
  { weight: 3, op: 'map' },
  { weight: 2, op: 'mapRun' },
  { weight: 2, op: 'mapUnit' },
  { weight: 4, op: 'unmap' },
  { weight: 4, op: 'protect' },
  { weight: 4, op: 'split' },
  { weight: 5, op: 'collapse' },
  { weight: 1, op: 'prepare' },
  { weight: 1, op: 'tablesNeeded' },
  { weight: 2, op: 'applyToRange' },
  { weight: 2, op: 'applyToExisting' },
  { weight: 2, op: 'reclaim' },
  { weight: 1, op: 'done' },
  { weight: 4, op: 'mark' },
  { weight: 1, op: 'software' },
  { weight: 2, op: 'use' },
  { weight: 1, op: 'hide' },
];

function draftOf(op: fc.Arbitrary<Operation>): fc.Arbitrary<Draft> {
  return fc.record<Draft>({
    op,
    anchor: fc.nat(23),
    inside: fc.nat(5),
    which: fc.nat(63),
    offset: fc.integer({ min: -2, max: 2 }),
    size: fc.nat(11),
    frame: fc.nat(9),
    protection: fc.nat(15),
    cap: fc.nat(7),
    choice: fc.nat(15),
    batch: fc.nat(7),
    follow: fc.nat(11),
    actions: fc.array(fc.nat(31), { minLength: 1, maxLength: 8, size: 'max' }),
  });
}

const anyDraft = draftOf(
  fc.oneof(...OPERATIONS.map(({ weight, op }) => ({ weight, arbitrary: fc.constant(op) }))),
);
const mapDraft = draftOf(fc.constantFrom(...MAPS));
const markDraft = draftOf(fc.constant('mark'));

/** Drafts for one table. The first ones map something, and perhaps make runs: else most calls would find nothing. */
export function drafts(maxLength: number): fc.Arbitrary<Draft[]> {
  return fc
    .tuple(
      fc.array(mapDraft, { minLength: 1, maxLength: 4, size: 'max' }),
      fc.array(markDraft, { maxLength: 2, size: 'max' }),
      fc.array(anyDraft, { minLength: 1, maxLength, size: 'max' }),
    )
    .map((parts) => parts.flat());
}
