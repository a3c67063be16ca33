import type { Configuration, PageTableFormat } from '@vmarea/core';
import { walkSource } from '@vmarea/mmu';
import { count, plural } from '../parts/text.js';
import { WrongResult } from '../parts/wrong-result.js';
import type { AccessBacking } from './backing.js';
import { FirstTouch, type FrameOrder } from './first-touch.js';
import type { ImageTable } from './image-table.js';
import { type LeafChoice, leafShifts } from './leaf-choice.js';
import type { Pagemap } from './pagemap.js';
import { pagemapTable } from './pagemap-table.js';
import { Relocation } from './relocation.js';
import type { TableBudget } from './table-budget.js';
import type { TouchedPages } from './touched-pages.js';

/** The format of a process's addresses. */
export function userFormat({ format, userFormat: own }: Configuration): PageTableFormat {
  return own ?? format;
}

/** What pages on first touch are made of. */
export interface TouchOptions {
  readonly touched: TouchedPages;
  readonly dense: number;
  readonly frames: FrameOrder;
  readonly seed: number;
  /** What the tables of all rows may take. */
  readonly budget: TableBudget;
}

/** Tables that map pages on their first touch; a sentence when the format has no room for the addresses. */
export function touchBacking(
  configuration: Configuration,
  leafChoice: LeafChoice,
  { touched, dense, frames, seed, budget }: TouchOptions,
): AccessBacking | string {
  const format = userFormat(configuration);
  const relocation = Relocation.into(format.range, touched);
  if (relocation === null)
    return `${configuration.name} is left out: its addresses have no room for what the trace touches`;
  const shifts = leafShifts(leafChoice, format, configuration);
  const source = new FirstTouch({
    format,
    touched,
    relocation,
    leafShifts: shifts,
    dense,
    frames,
    seed,
    budget,
  });
  return {
    ...{ configuration, format, leafChoice, source, isMapped: null },
    relocation: relocation.isIdentity ? null : relocation,
    state: () => ({ leaves: source.leaves, tables: source.tables }),
    close(touchedPages) {
      const { leaves } = source;
      const mapped = leaves.reduce((sum, leaf) => sum + (leaf.bytes / 2 ** format.pageShift) * leaf.count, 0);
      const who = `${configuration.name}, ${leafChoice} leaves`;
      if (leafChoice === 'base' ? mapped !== touchedPages : mapped < touchedPages)
        throw new WrongResult(`${who}: ${plural(touchedPages, 'page')} touched, ${count(mapped)} mapped`);
      source.destroy();
    },
  };
}

/** Tables with the pages of a pagemap. */
export function pagemapBacking(
  configuration: Configuration,
  leafChoice: LeafChoice,
  pagemap: Pagemap,
): AccessBacking {
  const format = userFormat(configuration);
  const largest = leafShifts(leafChoice, format, configuration)[0] ?? format.pageShift;
  const { table, tables, leaves } = pagemapTable(format, pagemap, largest);
  return {
    ...{ configuration, format, leafChoice, source: walkSource(table), relocation: null },
    isMapped: (hi, lo) => table.translateWords(hi, lo) >= 0,
    state: () => ({ leaves, tables }),
    close: () => table.destroy(),
  };
}

/** A process's own table. */
export function imageBacking(
  configuration: Configuration,
  { table, tables, leaves }: ImageTable,
): AccessBacking {
  return {
    ...{ configuration, format: userFormat(configuration), leafChoice: 'own', source: walkSource(table) },
    relocation: null,
    isMapped: (hi, lo) => table.translateWords(hi, lo) >= 0,
    state: () => ({ leaves, tables }),
    close: () => undefined,
  };
}
