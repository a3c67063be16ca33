import { flagOption } from '../../check/members.js';
import { optionsOf } from '../../check/options.js';
import { isArray, shown, VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import type { Protection } from '../../format/protection.js';
import { words } from '../../words.js';
import { pageRange, type Span, spansOf } from '../page-range.js';
import type { ReadableTable } from '../readable-table.js';
import type { LeafRun } from '../walk/leaves.js';

/** Options of one comparison. */
export interface DiffOptions {
  /**
   * First address in bytes, with `bytes`. At least one of the two tables must be able to map the range.
   * Default: everything that either root translates.
   */
  readonly va?: bigint;
  /** Length in bytes. */
  readonly bytes?: bigint | number;
  /**
   * Whether accessed and dirty count as part of the protection. Processors set them during use. Default:
   * false.
   */
  readonly touched?: boolean;
  /**
   * Whether `Protection.extra` counts as part of the protection. Formats of different names give these bits
   * different meanings. Pass true for formats that are known to give them the same one. Default: true
   * between formats of the same name, else false.
   */
  readonly extra?: boolean;
}

/** What one side of a difference maps. */
export interface DifferenceSide {
  /** Physical address of the first byte. */
  readonly pa: bigint;
  /** log2 of the size of the leaf that holds the first byte, in bytes. */
  readonly leafShift: number;
  /**
   * What the leaf says by itself. It holds for the whole difference, except that accessed and dirty are the
   * first byte's unless `touched` is set.
   */
  readonly protection: Protection;
}

/** A range that two tables translate differently. */
export interface Difference {
  /**
   * - `only-here`, `only-there`: only one of them maps it.
   * - `moved`: both map it, to different physical addresses; the protections may differ too.
   * - `protection`: both map it to the same physical addresses, with different protections.
   */
  readonly kind: 'only-here' | 'only-there' | 'moved' | 'protection';
  /** First address, in bytes. */
  readonly va: bigint;
  /** Length, in bytes. */
  readonly bytes: bigint;
  /** What this table maps; `null` for `only-there`. */
  readonly here: DifferenceSide | null;
  /** What the other table maps; `null` for `only-here`. */
  readonly there: DifferenceSide | null;
}

/** What a comparison needs from a table. */
type Listed = Pick<ReadableTable, 'format' | 'leaves'>;

/** What one side maps in a range: linear, under one protection. */
interface Piece extends Span, DifferenceSide {}

/** A difference that may still grow. */
interface OpenDifference {
  readonly kind: Difference['kind'];
  readonly start: bigint;
  end: bigint;
  readonly here: DifferenceSide | null;
  readonly there: DifferenceSide | null;
}

const NAMES = ['va', 'bytes', 'touched', 'extra'] as const;

/** When two protections count as equal. */
interface Sameness {
  readonly touched: boolean;
  readonly extra: boolean;
}

const TOP = 1n << 64n;

/**
 * Compares what two tables translate, in address order. It compares runs, never single pages.
 *
 * Only translations and the protections of leaves count. Leaf sizes, tables, and what tables forbid do not.
 * A block and the same pages one by one are equal. Neighbouring ranges are one difference when they differ
 * in the same way: same kind, adjacent physical addresses and equal protections on each side.
 *
 * The formats may differ. `dumpTables` shows what the tables above forbid. Do not change either table while
 * iterating. The arguments are checked at the call, not at the first difference.
 *
 * @throws VmError `ERANGE`, `EINVAL` for an invalid range or option; `EINVAL` for anything that is not a
 *   page table, or for a destroyed one; `EFAULT`, while iterating, when a table has no bytes.
 * @example
 * ```ts
 * for (const { kind, va, bytes } of diffTables(before, after)) console.log(kind, hex(va), bytes);
 * ```
 */
export function diffTables<C extends Controls, D extends Controls>(
  here: ReadableTable<C>,
  there: ReadableTable<D>,
  options?: DiffOptions,
): IterableIterator<Difference> {
  for (const table of [here, there])
    if (isArray(table) !== false || typeof table?.leaves !== 'function' || typeof table.format !== 'object')
      throw new VmError('EINVAL', `${shown(table)} is not a page table`, {
        advice: 'pass a PageTable or a PageTableReader',
      });
  const given = optionsOf(options, NAMES, 'diffTables()');
  const touched = flagOption(given, 'touched', false);
  const extra = flagOption(given, 'extra', here.format.name === there.format.name);
  const limit = limitOf(
    here.format as PageTableFormat,
    there.format as PageTableFormat,
    given as DiffOptions,
  );
  return differences(pieces(here as Listed, limit), pieces(there as Listed, limit), { touched, extra });
}

function* differences(
  hereLeft: Iterator<Piece>,
  thereLeft: Iterator<Piece>,
  same: Sameness,
): Generator<Difference, void, undefined> {
  // Within one side, all bits mean the same.
  const alike: Sameness = { touched: same.touched, extra: true };
  let here = next(hereLeft);
  let there = next(thereLeft);
  let open: OpenDifference | null = null;
  let at = 0n;
  while (here !== null || there !== null) {
    at = max(at, min(here?.start ?? TOP, there?.start ?? TOP));
    const a = here !== null && here.start <= at ? here : null;
    const b = there !== null && there.start <= at ? there : null;
    // Up to the next address where a side begins or ends.
    const end = min(edge(here, at), edge(there, at));
    const kind = kindOf(a, b, at, same);
    if (kind === null || open === null || !goesOn(open, kind, a, b, at, alike)) {
      if (open !== null) yield closed(open);
      open = kind === null ? null : { kind, start: at, end, here: side(a, at), there: side(b, at) };
    } else {
      open.end = end;
    }
    at = end;
    if (here !== null && here.end === at) here = next(hereLeft);
    if (there !== null && there.end === at) there = next(thereLeft);
  }
  if (open !== null) yield closed(open);
}

function next(left: Iterator<Piece>): Piece | null {
  const step = left.next();
  return step.done === true ? null : step.value;
}

/** The first address after `at` where a side begins or ends. */
function edge(piece: Piece | null, at: bigint): bigint {
  if (piece === null) return TOP;
  return piece.start > at ? piece.start : piece.end;
}

function kindOf(a: Piece | null, b: Piece | null, at: bigint, same: Sameness): Difference['kind'] | null {
  if (a === null || b === null) return a === b ? null : b === null ? 'only-here' : 'only-there';
  if (physical(a, at) !== physical(b, at)) return 'moved';
  return isSame(a.protection, b.protection, same) ? null : 'protection';
}

/** True when a difference continues at an address as it began. */
function goesOn(
  open: OpenDifference,
  kind: Difference['kind'],
  a: Piece | null,
  b: Piece | null,
  at: bigint,
  alike: Sameness,
): boolean {
  const continues = (before: DifferenceSide | null, now: Piece | null): boolean =>
    before === null ||
    now === null ||
    (before.pa + (at - open.start) === physical(now, at) && isSame(before.protection, now.protection, alike));
  return open.kind === kind && open.end === at && continues(open.here, a) && continues(open.there, b);
}

function physical(piece: Piece, at: bigint): bigint {
  return piece.pa + (at - piece.start);
}

function side(piece: Piece | null, at: bigint): DifferenceSide | null {
  if (piece === null) return null;
  return { pa: physical(piece, at), leafShift: piece.leafShift, protection: piece.protection };
}

function closed({ kind, start, end, here, there }: OpenDifference): Difference {
  return { kind, va: start, bytes: end - start, here, there };
}

function isSame(a: Protection, b: Protection, { touched, extra }: Sameness): boolean {
  if (a === b) return true;
  return (
    a.read === b.read &&
    a.write === b.write &&
    a.execute === b.execute &&
    a.user === b.user &&
    a.global === b.global &&
    a.memory === b.memory &&
    (!touched || (a.accessed === b.accessed && a.dirty === b.dirty)) &&
    (!extra || a.extra === b.extra)
  );
}

/**
 * What a side maps in a range, cut to it. The call to the table is made at once; its leaves are read on
 * demand.
 */
function pieces(table: Listed, limit: Span | null): Iterator<Piece> {
  const { format } = table;
  const lists =
    limit === null
      ? [table.leaves()]
      : spansOf(format)
          .map((half) => ({ start: max(half.start, limit.start), end: min(half.end, limit.end) }))
          .filter(({ start, end }) => start < end)
          .map((part) => leavesAround(table, part));
  return cut(format, lists, limit ?? { start: 0n, end: TOP });
}

function* cut(
  format: PageTableFormat,
  lists: readonly IterableIterator<LeafRun>[],
  limit: Span,
): Generator<Piece, void, undefined> {
  const known = format.levels.map(() => new Map<bigint, Protection>());
  for (const list of lists) {
    for (const { va, count, leafShift, level, pa, flags } of list) {
      const protections = known[level] as Map<bigint, Protection>;
      let protection = protections.get(flags);
      if (protection === undefined) {
        protection = format.decode(words(flags), level);
        protections.set(flags, protection);
      }
      const start = max(va, limit.start);
      const end = min(va + (BigInt(count) << BigInt(leafShift)), limit.end);
      if (start < end) yield { start, end, pa: pa + (start - va), leafShift, protection };
    }
  }
}

/** The leaves in a part of a root's range. The part may begin and end inside a page of this format. */
function leavesAround(table: Listed, { start, end }: Span): IterableIterator<LeafRun> {
  const inside = (1n << BigInt(table.format.pageShift)) - 1n;
  const first = start & ~inside;
  return table.leaves(first, ((end + inside) & ~inside) - first);
}

/**
 * The range of a call; `null` for everything. It is enough that one format accepts it: the other may have
 * none of it.
 */
function limitOf(here: PageTableFormat, there: PageTableFormat, options: DiffOptions): Span | null {
  const { va, bytes } = options;
  if (va === undefined && bytes === undefined) return null;
  try {
    pageRange(here, va as bigint, bytes as bigint);
  } catch (error) {
    try {
      pageRange(there, va as bigint, bytes as bigint);
    } catch {
      throw error;
    }
  }
  const start = va as bigint;
  return { start, end: start + BigInt(bytes as bigint) };
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
