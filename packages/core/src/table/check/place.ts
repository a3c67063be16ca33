import type { LevelPlan } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import { joinWords } from '../../words.js';
import { addressOf } from '../page-range.js';
import type { TableContext } from '../state/context.js';
import type { TableFinding, TableFindingKind } from './finding.js';

/** The entry that points to a table. */
interface Link {
  readonly lo: number;
  readonly hi: number;
  readonly address: bigint;
}

/** A table that is checked. */
export interface CheckedTable {
  readonly level: LevelPlan;
  readonly pfn: number;
  readonly bank: Bank;
  /** Index in `bank.words` of its first entry's low word. */
  readonly word: number;
  /** Physical address of its first entry. */
  readonly start: bigint;
  /** Index of the first page that it translates. */
  readonly page: number;
  /** `null` for the root. */
  readonly link: Link | null;
}

/** A finding about a table. */
export function ofTable(
  { plan }: TableContext,
  { level, pfn, page, link }: Pick<CheckedTable, 'level' | 'pfn' | 'page' | 'link'>,
  kind: TableFindingKind,
  text: string,
): TableFinding {
  return {
    kind,
    va: addressOf(plan.format, page),
    bytes: BigInt(level.pages * level.entries) << BigInt(plan.pageShift),
    level: level.index,
    entry: link === null ? null : joinWords(link.lo, link.hi),
    address: link?.address ?? null,
    pfn,
    text: `${theTable(plan, level, pfn)} ${text}`,
  };
}

/** A finding about an entry of a table. */
export function ofEntry(
  { plan }: TableContext,
  { level, page, start }: CheckedTable,
  slot: number,
  found: Pick<TableFinding, 'kind' | 'entry' | 'pfn'>,
  text: string,
): TableFinding {
  return {
    ...found,
    va: addressOf(plan.format, page + slot * level.pages),
    bytes: BigInt(level.pages) << BigInt(plan.pageShift),
    level: level.index,
    address: start + 8n * BigInt(slot),
    text: `the ${level.level.name} entry 0x${(found.entry ?? 0n).toString(16)} ${text}`,
  };
}

/** A table, for a sentence. */
function theTable({ pageShift }: { readonly pageShift: number }, { level }: LevelPlan, pfn: number): string {
  return `the ${level.name} table at physical 0x${(BigInt(pfn) << BigInt(pageShift)).toString(16)}`;
}
