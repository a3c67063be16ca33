import { flagOption } from '../../check/members.js';
import { optionsOf } from '../../check/options.js';
import type { Controls } from '../../format/access.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import type { Protection } from '../../format/protection.js';
import { TOP } from '../../words.js';
import { pageRange, type Span } from '../page-range.js';
import type { ReadableTable } from '../readable-table.js';
import type { TableContext } from '../state/context.js';
import { contextOf } from '../state/registry.js';
import { rightsOf } from '../walk/rights.js';
import { type DifferenceSide, DiffSide, FoundSpans, max, min, type Piece } from './diff-side.js';

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
  /**
   * Whether what all levels together allow counts, too, under the processor modes of each table: an entry above
   * may take a right from many leaves at once. Default: false.
   */
  readonly rights?: boolean;
}

/** A range that two tables translate differently. */
export interface Difference {
  /**
   * - `only-here`, `only-there`: only one of them maps it.
   * - `moved`: both map it, to different physical addresses; the protections may differ too.
   * - `protection`: both map it to the same physical addresses, with different protections, or with different rights
   *   under the option `rights`.
   * - `missing-here`, `missing-there`, `missing-both`: a table without bytes hides what this table, the other, or
   *   either maps there.
   * - `again-here`, `again-there`, `again-both`: a side has met its table before, at another address, and has already
   *   read 2^18 entries again. What it maps there is not compared.
   */
  readonly kind:
    | 'only-here'
    | 'only-there'
    | 'moved'
    | 'protection'
    | 'missing-here'
    | 'missing-there'
    | 'missing-both'
    | 'again-here'
    | 'again-there'
    | 'again-both';
  /** First address, in bytes. */
  readonly va: bigint;
  /** Length, in bytes. */
  readonly bytes: bigint;
  /** What this table maps; `null` for `only-there`, and for the kinds `missing-…` and `again-…`. */
  readonly here: DifferenceSide | null;
  /** What the other table maps; `null` for `only-here`, and for the kinds `missing-…` and `again-…`. */
  readonly there: DifferenceSide | null;
}

/** A difference that may still grow. */
interface OpenDifference {
  readonly kind: Difference['kind'];
  readonly start: bigint;
  end: bigint;
  readonly here: DifferenceSide | null;
  readonly there: DifferenceSide | null;
}

const NAMES = ['va', 'bytes', 'touched', 'extra', 'rights'] as const;

/** When two protections count as equal. */
interface Sameness {
  readonly touched: boolean;
  readonly extra: boolean;
}

/**
 * Compares what two tables translate, in address order. It compares runs, never single pages.
 *
 * Only translations and the protections of leaves count; under the option `rights`, also what the tables above leave of
 * them. Leaf sizes and tables do not.
 * A block and the same pages one by one are equal. Neighbouring ranges are one difference when they differ
 * in the same way: same kind, adjacent physical addresses and equal protections on each side.
 *
 * A memory dump may lack tables. What a table without bytes translates is a difference of its own kind, also
 * where both sides lack it, since nobody knows what it maps.
 *
 * The work is bounded, also where tables point to themselves. Each side reads each table once for each level. Where
 * a table is met again, at another address, it is passed over when both sides meet theirs, and they were equal
 * before. Else it is read again, until that side has read 2^18 entries again; then it is a difference of a kind of
 * its own.
 *
 * The formats may differ. Do not change either table while
 * iterating. The arguments are checked at the call, not at the first difference.
 *
 * @throws VmError `ERANGE`, `EINVAL` for an invalid range or option; `EINVAL` for anything that is not a
 *   page table, or for a destroyed one.
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
  const [one, other] = [contextOf(here), contextOf(there)];
  const given = optionsOf(options, NAMES, 'diffTables()');
  const touched = flagOption(given, 'touched', false);
  const extra = flagOption(given, 'extra', here.format.name === there.format.name);
  const limit = limitOf(one.plan.format, other.plan.format, given as DiffOptions);
  const hasRights = flagOption(given, 'rights', false);
  const sideOf = (context: TableContext): DiffSide =>
    new DiffSide(context, limit, hasRights ? rightsOf(context) : null);
  return differences(sideOf(one), sideOf(other), { touched, extra });
}

function* differences(
  hereSide: DiffSide,
  thereSide: DiffSide,
  same: Sameness,
): Generator<Difference, void, undefined> {
  // Within one side, all bits mean the same.
  const alike: Sameness = { touched: same.touched, extra: true };
  const found = new FoundSpans();
  let open: OpenDifference | null = null;
  let at = 0n;
  hereSide.next();
  thereSide.next();
  for (;;) {
    const { piece: here } = hereSide;
    const { piece: there } = thereSide;
    if (here === null && there === null) break;
    at = max(at, min(here?.start ?? TOP, there?.start ?? TOP));
    const a = here !== null && here.start <= at ? here : null;
    const b = there !== null && there.start <= at ? there : null;
    if (passAgain(hereSide, thereSide, a, b, found)) continue;
    // Up to the next address where a side begins or ends.
    const end = min(edge(here, at), edge(there, at));
    const kind = kindOf(a, b, at, same);
    if (kind === null || open === null || !goesOn(open, kind, a, b, at, alike)) {
      if (open !== null) yield closed(open);
      open = kind === null ? null : opened(kind, at, end, a, b);
    } else {
      open.end = end;
    }
    if (kind !== null) found.add(at, end);
    at = end;
    if (here !== null && here.end === at) hereSide.next();
    if (there !== null && there.end === at) thereSide.next();
  }
  if (open !== null) yield closed(open);
}

/**
 * Goes on where a side meets a table again. Where both do, and their tables translated the same at the place
 * where they were met first, they do so here too. Else the tables are compared as any other.
 *
 * @returns false where no side goes on.
 */
function passAgain(
  here: DiffSide,
  there: DiffSide,
  a: Piece | null,
  b: Piece | null,
  found: FoundSpans,
): boolean {
  const [one, other] = [a?.again ?? null, b?.again ?? null];
  if (a !== null && one?.isWhole === true && other?.isWhole === true) {
    const isPair = one.listedAt === other.listedAt && a.start === b?.start && a.end === b?.end;
    if (isPair && !found.touch(one.listedAt, one.listedAt + (a.end - a.start))) {
      here.next();
      there.next();
      return true;
    }
  }
  const [isHere, isThere] = [one !== null && here.canEnter(), other !== null && there.canEnter()];
  if (isHere) here.enter();
  if (isThere) there.enter();
  return isHere || isThere;
}

/** The first address after `at` where a side begins or ends. */
function edge(piece: Piece | null, at: bigint): bigint {
  if (piece === null) return TOP;
  return piece.start > at ? piece.start : piece.end;
}

function kindOf(a: Piece | null, b: Piece | null, at: bigint, same: Sameness): Difference['kind'] | null {
  const [isHere, isThere] = [a?.maps === null, b?.maps === null];
  if (isHere || isThere) {
    const isMissing = (isHere && a?.again === null) || (isThere && b?.again === null);
    const where = isHere && isThere ? 'both' : isHere ? 'here' : 'there';
    return `${isMissing ? 'missing' : 'again'}-${where}`;
  }
  if (a === null && b === null) return null;
  const [here, there] = [side(a, at), side(b, at)];
  if (here === null || there === null) return there === null ? 'only-here' : 'only-there';
  if (here.pa !== there.pa) return 'moved';
  return isAlike(here, there, same) ? null : 'protection';
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
  const continues = (before: DifferenceSide | null, piece: Piece | null): boolean => {
    const now = side(piece, at);
    if (before === null || now === null) return true;
    return before.pa + (at - open.start) === now.pa && isAlike(before, now, alike);
  };
  return open.kind === kind && open.end === at && continues(open.here, a) && continues(open.there, b);
}

/** What a side maps at an address of a piece; `null` for nothing, and for what is missing. */
function side(piece: Piece | null, at: bigint): DifferenceSide | null {
  const maps = piece?.maps ?? null;
  return piece === null || maps === null ? null : { ...maps, pa: maps.pa + (at - piece.start) };
}

function opened(
  kind: Difference['kind'],
  start: bigint,
  end: bigint,
  a: Piece | null,
  b: Piece | null,
): OpenDifference {
  const isMissing = a?.maps === null || b?.maps === null;
  return {
    ...{ kind, start, end },
    here: isMissing ? null : side(a, start),
    there: isMissing ? null : side(b, start),
  };
}

function closed({ kind, start, end, here, there }: OpenDifference): Difference {
  return { kind, va: start, bytes: end - start, here, there };
}

/** Equal rights are one object. */
function isAlike(a: DifferenceSide, b: DifferenceSide, same: Sameness): boolean {
  return a.rights === b.rights && isSame(a.protection, b.protection, same);
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
