import type { PageTableFormat } from '../../format/page-table-format.js';
import type { Protection } from '../../format/protection.js';
import { TOP } from '../../words.js';
import { rangeOf } from '../arguments.js';
import { addressOf, type PageRange, pageRange, type Span, spansOf } from '../page-range.js';
import type { TableContext } from '../state/context.js';
import { items, type JudgedRun, type ListFace, type UnlistedTable } from '../walk/items.js';
import { AGAIN_ENTRIES, MetTables } from '../walk/met-tables.js';
import { ProtectionCache } from '../walk/protection-cache.js';
import type { EffectiveRights, Rights } from '../walk/rights.js';

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
  /** What the tables above leave of it, for the whole difference; `null` without the option `rights`. */
  readonly rights: Rights | null;
}

/** A table that a side has met before. */
interface TableAgain {
  readonly level: number;
  /** Where it was listed first. */
  readonly listedAt: bigint;
  /** Both places are whole in the range that is compared, and the tables above them leave the same rights. */
  readonly isWhole: boolean;
}

/** What one side maps in a range: linear, under one protection. */
export interface Piece extends Span {
  /** `null` where a table has no bytes, and for a table that is met again. */
  readonly maps: DifferenceSide | null;
  /** A table that is met again; `null` for anything else. */
  readonly again: TableAgain | null;
}

const WHOLE: Span = { start: 0n, end: TOP };

/** One side of a comparison: what it maps, in address order. Its leaves are read on demand. */
export class DiffSide {
  /** What it maps next; `null` at the end, and before the first `next`. */
  piece: Piece | null = null;
  readonly #context: TableContext;
  /** What is left of the range, and of the tables inside it that were entered. */
  readonly #left: Iterator<Piece | null>[];
  readonly #known: ProtectionCache;
  readonly #limit: Span;
  readonly #rights: EffectiveRights | null;
  /** Shared by all lists of this side, so each table is met once. */
  readonly #tables = new MetTables(true, 0);
  /** Entries that may be read again in tables that are entered. */
  #again = AGAIN_ENTRIES;

  /**
   * @param limit - the range; `null` for everything.
   * @param rights - what judges leaves; `null` when rights are not wanted.
   */
  constructor(context: TableContext, limit: Span | null, rights: EffectiveRights | null) {
    const { format } = context.plan;
    this.#context = context;
    this.#limit = limit ?? WHOLE;
    this.#rights = rights;
    this.#known = new ProtectionCache(format);
    const parts = limit === null ? [] : spansOf(format).map((half) => common(half, limit));
    this.#left =
      limit === null
        ? [this.#pieces(rangeOf(context.plan, {}), WHOLE)]
        : parts.filter(({ start, end }) => start < end).map((part) => this.#piecesOf(part));
    this.#left.reverse();
  }

  next(): void {
    for (;;) {
      const step = this.#left.at(-1)?.next();
      this.piece = step?.done === false ? step.value : null;
      if (this.piece !== null || this.#left.length === 0) return;
      if (step?.done === true) this.#left.pop();
    }
  }

  /** True when the table of the current piece may be read again. */
  canEnter(): boolean {
    const level = this.piece?.again?.level;
    return level !== undefined && this.#again >= (this.#context.plan.levels[level]?.entries ?? 0);
  }

  /** Puts what a table maps, which is met again, in the place of its piece. Tables below it stay pieces. */
  enter(): void {
    const { piece } = this;
    const entries = this.#context.plan.levels[piece?.again?.level ?? 0]?.entries ?? 0;
    this.#again -= entries;
    // Enough for that table alone.
    this.#tables.left = entries;
    if (piece !== null) this.#left.push(this.#piecesOf(piece));
    this.next();
  }

  #piecesOf(part: Span): Iterator<Piece | null> {
    return this.#pieces(pagesAround(this.#context.plan.format, part), part);
  }

  /** What a range maps; `null` for what is beside the part. */
  #pieces(range: PageRange, part: Span): Iterator<Piece | null> {
    const face: ListFace<Piece | null> = {
      run: (run) => this.#run(run, part),
      table: (table) => this.#table(table, part),
    };
    return items(this.#context, range, { face, rights: this.#rights, tables: this.#tables, wanted: null });
  }

  #run({ level, page, pfn, count, flagsLo, flagsHi, judged }: JudgedRun, part: Span): Piece | null {
    const { format, pageShift } = this.#context.plan;
    const va = addressOf(format, page);
    const { start, end } = common({ start: va, end: va + (BigInt(count) << BigInt(level.shift)) }, part);
    if (start >= end) return null;
    const protection = this.#known.find(level.index, flagsLo, flagsHi);
    const pa = (BigInt(pfn) << BigInt(pageShift)) + (start - va);
    const rights = judged?.rights ?? null;
    return { start, end, maps: { pa, leafShift: level.shift, protection, rights }, again: null };
  }

  #table({ level, page, met, path }: UnlistedTable, part: Span): Piece | null {
    const { format, levels } = this.#context.plan;
    const va = addressOf(format, page);
    const whole = { start: va, end: va + (1n << BigInt(levels[level - 1]?.shift ?? 0)) };
    const { start, end } = common(whole, part);
    if (start >= end) return null;
    if (met === null) return { start, end, maps: null, again: null };
    const listedAt = addressOf(format, met.page);
    const isWhole =
      met.path === path &&
      start === whole.start &&
      end === whole.end &&
      listedAt >= this.#limit.start &&
      listedAt + (end - start) <= this.#limit.end;
    return { start, end, maps: null, again: { level, listedAt, isWhole } };
  }
}

/** The differences that were found so far, in address order. */
export class FoundSpans {
  readonly #spans: { readonly start: bigint; end: bigint }[] = [];

  /** Adds a span behind all others. */
  add(start: bigint, end: bigint): void {
    const last = this.#spans.at(-1);
    if (last !== undefined && last.end === start) last.end = end;
    else this.#spans.push({ start, end });
  }

  /** True when some difference is in a range. */
  touch(start: bigint, end: bigint): boolean {
    let low = 0;
    let high = this.#spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#spans[middle] as Span).end <= start) low = middle + 1;
      else high = middle;
    }
    const next = this.#spans[low];
    return next !== undefined && next.start < end;
  }
}

function common(one: Span, other: Span): Span {
  return { start: max(one.start, other.start), end: min(one.end, other.end) };
}

export function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

export function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** The pages of a part of a root's range. The part may begin and end inside a page of this format. */
function pagesAround(format: PageTableFormat, { start, end }: Span): PageRange {
  const inside = (1n << BigInt(format.pageShift)) - 1n;
  const first = start & ~inside;
  return pageRange(format, first, ((end + inside) & ~inside) - first);
}
