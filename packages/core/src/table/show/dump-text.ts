import { hex } from '../../errors.js';
import type { LevelPlan, Plan } from '../../format/plan.js';
import type { Protection } from '../../format/protection.js';
import { joinWords } from '../../words.js';
import { addressOf } from '../page-range.js';
import type { EntryRun, UnlistedTable } from '../walk/items.js';
import type { LeafRun } from '../walk/leaves.js';
import type { Rights } from '../walk/rights.js';
import { BitsText } from './bits-text.js';

const UNITS = ['', 'K', 'M', 'G', 'T', 'P', 'E'];
/** Nine digits and a unit. */
const SIZE_WIDTH = 10;
const COUNT_WIDTH = 8;

/** Adjacent entries of one table that map nothing and have the same bits. */
export interface DeadEntries extends EntryRun {
  readonly kind: 'absent' | 'reserved';
  readonly lo: number;
  readonly hi: number;
}

/** A table that has a line of its own. */
type TableLine = Pick<UnlistedTable, 'level' | 'page' | 'slot' | 'pfn' | 'lo' | 'hi'>;

/**
 * Writes the lines of a dump.
 *
 * A column's width depends only on the format, never on what is listed, so one more mapping is one more line
 * in a text diff. A run is wider than its columns only when it has 10^8 leaves or more, or a size that takes
 * 10^9 KiB or more to write exactly. That shifts the rest of its own line.
 */
export class DumpText {
  readonly #plan: Plan;
  readonly #levelWidth: number;
  readonly #memoryWidth: number;
  readonly #bits: BitsText | null;

  /** @param bits - lines also name the bits of their entries. */
  constructor(plan: Plan, bits: boolean) {
    this.#plan = plan;
    this.#bits = bits ? new BitsText(plan.format) : null;
    this.#levelWidth = Math.max(...plan.format.levels.map(({ name }) => name.length));
    this.#memoryWidth = Math.max(...plan.format.memoryTypes.map((type) => type.length));
  }

  title(root: bigint): string {
    return `${this.#plan.format.name}, root ${hex(root)}`;
  }

  leaves(run: LeafRun): string {
    const level = this.#plan.levels[run.level] as LevelPlan;
    const { rights, protection, runShift } = run;
    let notes = '';
    if (runShift !== null) notes += level.level.run?.style === 'napot' ? '  napot' : '  cont';
    if (protection.extra !== 0n) notes += `  extra 0x${protection.extra.toString(16)}`;
    const memory = protection.memory.padEnd(this.#memoryWidth);
    const flags = `${rightsLetters(rights)} ${stateLetters(protection)}  ${memory}`;
    return `${this.#place(run.va, run.count, level)}  ${flags}  ${hex(run.pa)}${notes}${this.#bitsOf(run.flags, run.level)}`;
  }

  dead({ kind, level, page, lo, hi, count }: DeadEntries): string {
    const va = addressOf(this.#plan.format, page);
    const entry = joinWords(lo, hi);
    return `${this.#place(va, count, level)}  ${kind} ${hex(entry)}${this.#bitsOf(entry, level.index)}`;
  }

  rootTable(root: bigint, inUse: string): string {
    const { format, pages, pageShift } = this.#plan;
    const level = this.#plan.levels[0] as LevelPlan;
    const last = addressOf(format, pages - 1) + (1n << BigInt(pageShift)) - 1n;
    return `${this.#span(addressOf(format, 0), last, pages, level)}  table ${hex(root)}  ${inUse}`;
  }

  /** @param state - what is known about its contents. */
  table(table: TableLine, state: string): string {
    const { format, levels, address, pageShift } = this.#plan;
    const level = levels[table.level] as LevelPlan;
    const pages = level.pages * level.entries;
    const va = addressOf(format, table.page);
    const flags = joinWords(
      table.lo & ~(address.lowLo | address.highLo),
      table.hi & ~(address.lowHi | address.highHi),
    );
    const pa = BigInt(table.pfn) << BigInt(pageShift);
    const slot = String(table.slot).padStart(4);
    const span = this.#span(va, va + BigInt(pages * 2 ** pageShift) - 1n, pages, level);
    return `${span}  table ${hex(pa)}  slot ${slot}  flags ${hex(flags)}  ${state}${this.#bitsOf(flags, table.level - 1)}`;
  }

  #bitsOf(entry: bigint, level: number): string {
    return this.#bits === null ? '' : `  bits ${this.#bits.of(entry, level)}`;
  }

  /** Why the contents of a table are not listed. */
  reason({ met, path }: Pick<UnlistedTable, 'met' | 'path'>): string {
    if (met === null) return 'no bytes';
    const others = met.path === path ? '' : ' below other flags';
    return `listed at ${hex(addressOf(this.#plan.format, met.page))}${others}`;
  }

  #place(va: bigint, count: number, level: LevelPlan): string {
    const pages = count * level.pages;
    const last = va + BigInt(pages * 2 ** this.#plan.pageShift) - 1n;
    const leaf = humanSize(2 ** level.shift).padEnd(4);
    return `${this.#span(va, last, pages, level)}  ${String(count).padStart(COUNT_WIDTH)} x ${leaf}`;
  }

  #span(first: bigint, last: bigint, pages: number, level: LevelPlan): string {
    const size = humanSize(pages * 2 ** this.#plan.pageShift).padStart(SIZE_WIDTH);
    return `${hex(first)}-${hex(last)}  ${size}  ${level.level.name.padEnd(this.#levelWidth)}`;
  }
}

function rightsLetters({ read, write, execute, user }: Rights): string {
  return `${read ? 'r' : '-'}${write ? 'w' : '-'}${execute ? 'x' : '-'} ${user ? 'u' : 'k'}`;
}

function stateLetters({ global, accessed, dirty }: Protection): string {
  return `${global ? 'g' : '-'}${accessed ? 'a' : '-'}${dirty ? 'd' : '-'}`;
}

/**
 * A size in the largest unit in which it is a multiple of a half: `612K`, `2M`, `1.5G`.
 *
 * @param bytes - whole pages, so that every unit divides it exactly.
 */
function humanSize(bytes: number): string {
  let unit = 0;
  let size = bytes;
  for (let i = 1; i < UNITS.length && bytes >= 1024 ** i; i++) {
    if (!Number.isInteger((2 * bytes) / 1024 ** i)) break;
    size = bytes / 1024 ** i;
    unit = i;
  }
  return `${size}${UNITS[unit]}`;
}

/** A size in the largest unit that is not above it, rounded to one decimal: `36K`, `1.2G`, `2T`. */
function roundedSize(bytes: number): string {
  let unit = 0;
  let size = bytes;
  // As rounded: 1023.96K is shown as 1M.
  for (; unit + 1 < UNITS.length && Math.round(size * 10) >= 10240; unit++) size /= 1024;
  return `${Math.round(size * 10) / 10}${UNITS[unit]}`;
}

/** What a list leaves out. */
export interface LeftOut {
  runs: number;
  tables: number;
  /** Tables that are listed elsewhere. */
  again: number;
  /** Of address space, including that of the tables. */
  bytes: number;
}

/**
 * The line for what a list leaves out: `... 9 runs and 1 table, 1.5G not shown`. The size is rounded.
 *
 * @param what - added after the tables, such as ` without bytes`.
 */
export function leftOut({ runs, tables, again, bytes }: LeftOut, what: string): string {
  const counts = [];
  if (runs > 0) counts.push(counted(runs, 'run'));
  if (tables > 0) counts.push(`${counted(tables, 'table')}${what}`);
  if (again > 0) counts.push(`${counted(again, 'table')} listed elsewhere`);
  return `... ${counts.join(' and ')}, ${roundedSize(bytes)} not shown`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** How many items to show before and after the line for what is left out, in a list longer than `lines`. */
export function endsOf(lines: number): { readonly head: number; readonly tail: number } {
  return { head: Math.ceil((lines - 1) / 2), tail: Math.floor((lines - 1) / 2) };
}
