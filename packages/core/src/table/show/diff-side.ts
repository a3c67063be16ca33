import type { PageTableFormat } from '../../format/page-table-format.js';
import type { Protection } from '../../format/protection.js';
import { TOP, words } from '../../words.js';
import { rangeOf } from '../arguments.js';
import { type PageRange, pageRange, type Span, spansOf } from '../page-range.js';
import type { TableContext } from '../state/context.js';
import { listed } from '../walk/list-leaves.js';

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

/** What one side maps in a range: linear, under one protection. */
export interface Piece extends Span {
  /** `null` where a table has no bytes, and for a table that is met again. */
  readonly maps: DifferenceSide | null;
  /** Where a table that is met again was listed first. */
  readonly listedAt?: bigint;
}

const WHOLE: Span = { start: 0n, end: TOP };

/** One side of a comparison: what it maps, in address order. Its leaves are read on demand. */
export class DiffSide {
  /** What it maps next; `null` at the end, and before the first `next`. */
  piece: Piece | null = null;
  readonly #context: TableContext;
  /** What is left of the range, and of the tables inside it that were entered. */
  readonly #left: Iterator<Piece>[];
  /** Known protections by level and flags. */
  readonly #known: readonly Map<bigint, Protection>[];

  /** @param limit - the range; `null` for everything. */
  constructor(context: TableContext, limit: Span | null) {
    const { format } = context.plan;
    this.#context = context;
    this.#known = format.levels.map(() => new Map<bigint, Protection>());
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
      this.#left.pop();
    }
  }

  /** Puts what a table maps, which is met again, in the place of its piece. */
  enter(): void {
    if (this.piece !== null) this.#left.push(this.#piecesOf(this.piece));
    this.next();
  }

  #piecesOf(part: Span): Iterator<Piece> {
    return this.#pieces(pagesAround(this.#context.plan.format, part), part);
  }

  *#pieces(range: PageRange, part: Span): Generator<Piece, void, undefined> {
    for (const item of listed(this.#context, range, true)) {
      const isRun = item.kind === 'leaves';
      const bytes = isRun ? BigInt(item.count) << BigInt(item.leafShift) : item.bytes;
      const { start, end } = common({ start: item.va, end: item.va + bytes }, part);
      if (start >= end) continue;
      if (isRun) {
        const protection = this.#protection(item.level, item.flags);
        yield {
          start,
          end,
          maps: { pa: item.pa + (start - item.va), leafShift: item.leafShift, protection },
        };
      } else if (item.listedAt === null) yield { start, end, maps: null };
      else yield { start, end, maps: null, listedAt: item.listedAt };
    }
  }

  #protection(level: number, flags: bigint): Protection {
    const known = this.#known[level] as Map<bigint, Protection>;
    let protection = known.get(flags);
    if (protection === undefined) {
      protection = this.#context.plan.format.decode(words(flags), level);
      known.set(flags, protection);
    }
    return protection;
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
