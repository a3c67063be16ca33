import {
  type AddressSpace,
  type PageTable,
  type PhysicalMemory,
  type Process,
  type ReadableTable,
  words,
} from '@vmarea/core';
import { lookOf } from '../look/cell-look.js';
import { cellsOf } from '../look/cells.js';
import { levelsOf } from '../look/level-view.js';
import { childFrame, readTable } from '../look/read-table.js';
import type { AreaView, SpaceView, TableNode } from './calls.js';

/** Something whose tables are drawn. */
export interface Drawn {
  readonly name: string;
  readonly space: AddressSpace | Process | PageTable;
  readonly memory: PhysicalMemory;
}

/** Most tables that are drawn, and most that are looked at. */
const MOST_DRAWN = 48;
const MOST_READ = 4096;

/** What a space looks like at this moment; `null` when it was destroyed. */
export function spaceView({ name, space, memory }: Drawn): SpaceView | null {
  try {
    const table = ('table' in space ? space.table : space) as ReadableTable;
    // A destroyed table has no root.
    if (table.root < 0n) return null;
    const text = 'vmallocinfo' in space ? space.vmallocinfo({ detail: true }) : null;
    return {
      ...{ name, format: table.format.name, levels: levelsOf(table.format) },
      areas: text === null ? [] : areasOf(text),
      vmallocinfo: text,
      ...tablesOf(table, memory),
    };
  } catch {
    return null;
  }
}

function areasOf(text: string): AreaView[] {
  return text
    .split('\n')
    .map((line) => /^0x([\da-f]+)-0x([\da-f]+)\s+\d+\s?(.*)$/.exec(line))
    .filter((found) => found !== null)
    .map(([, start, end, about = '']) => ({
      start: BigInt(`0x${start}`),
      end: BigInt(`0x${end}`),
      text: about,
      isWaiting: about.startsWith('unpurged'),
    }));
}

function tablesOf(
  table: ReadableTable,
  memory: PhysicalMemory,
): Pick<SpaceView, 'tables' | 'empty' | 'more'> {
  const { format } = table;
  const { levels, pageShift } = format;
  const drawn: TableNode[] = [];
  let empty = 0;
  let more = 0;
  let read = 0;
  const start = format.range.upper === 'ones' ? (1n << 64n) - (1n << BigInt(format.range.bits)) : 0n;
  let next = [{ pa: table.root, va: start, path: [] as bigint[] }];
  for (const [level, { shift }] of levels.entries()) {
    const below: typeof next = [];
    for (const { pa, va, path } of next) {
      if (read++ >= MOST_READ) continue;
      const entries = readTable(memory, table, level, pa);
      const cells = cellsOf(format, path.map(words), entries, format.controls, () => true);
      const runs = runsOf(cells);
      if (runs.length === 0 && level > 0) empty++;
      else if (drawn.length >= MOST_DRAWN) more++;
      else drawn.push({ level, pa, va, entries: entries.length, runs });
      for (const [i, entry] of entries.entries()) {
        if (cells.kinds[i] !== TABLE) continue;
        const at = va + (BigInt(i) << BigInt(shift));
        const isUpper = format.range.upper === 'sign' && level === 0 && i >= entries.length / 2;
        below.push({
          pa: BigInt(childFrame(format, entry)) << BigInt(pageShift),
          va: isUpper ? at + (1n << 64n) - (1n << BigInt(format.range.bits)) : at,
          path: [...path, entry],
        });
      }
    }
    next = below;
  }
  return { tables: drawn, empty, more };
}

const TABLE = 2;

function runsOf({
  kinds,
  marks,
}: {
  readonly kinds: Uint8Array;
  readonly marks: Uint8Array;
}): [number, number, number][] {
  const runs: [number, number, number][] = [];
  for (let i = 0; i < kinds.length; i++) {
    if (kinds[i] === 0) continue;
    const look = lookOf(kinds[i] ?? 0, marks[i] ?? 0);
    const last = runs.at(-1);
    if (last !== undefined && last[1] === i - 1 && last[2] === look) last[1] = i;
    else runs.push([i, i, look]);
  }
  return runs;
}
