import { type Command, type Console, plural, UsageError, unknown } from '@vmarea/cli';
import { type MemoryType, type PageTableReader, printable } from '@vmarea/core';
import { DUMP_ARGUMENTS, RANGE_ARGUMENT, type RangeValues, ROOT_ARGUMENTS } from '../input/arguments.js';
import { bytesOf, pagesOf, rangeOf } from '../input/numbers.js';
import { openRoot } from '../input/open-root.js';
import { jsonOf } from '../output/json.js';
import { printRows } from '../output/lines.js';
import { coloursOf, leafLine, size, unlistedLine } from '../output/text.js';
import { titleOf } from '../output/title.js';
import { type FindFilter, findRuns } from '../show/find.js';
import { inspectCommand } from './command.js';

/** Filters that are true or false, and what each asks. */
const FLAGS = {
  readable: 'Loads are allowed',
  writable: 'Stores are allowed',
  executable: 'Instruction fetches are allowed',
  user: 'Pages of user mode',
  global: 'Global translations',
  accessed: 'Accessed pages',
  dirty: 'Dirty pages',
} as const;
type Flag = keyof typeof FLAGS;
const NAMES = Object.keys(FLAGS) as Flag[];

interface FindValues extends RangeValues {
  readonly not?: string;
  readonly kernel?: boolean;
  readonly memory?: string;
  readonly size?: string;
  readonly region?: string;
  readonly physical?: string;
}

/** `find`: leaves by what they allow and where they are. */
export const find: Command = inspectCommand(
  'find',
  'Find leaves by rights, owner, memory type, size, region and frames. All filters together must hold',
  {
    ...DUMP_ARGUMENTS,
    ...ROOT_ARGUMENTS,
    ...RANGE_ARGUMENT,
    ...Object.fromEntries(
      NAMES.map((name) => [name, { type: 'boolean', description: FLAGS[name] } as const]),
    ),
    kernel: { type: 'boolean', description: 'Pages of the kernel' },
    not: { type: 'string', valueHint: 'NAME[,NAME]', description: `Not one of: ${NAMES.join(', ')}` },
    memory: {
      type: 'string',
      valueHint: 'TYPE',
      description: 'Memory type: normal, device, uncached, write-combining, …',
    },
    size: { type: 'string', valueHint: 'BYTES', description: 'Size of a leaf: 4K, 2M' },
    region: {
      type: 'string',
      valueHint: 'NAME',
      description: 'Region, as dump names it: vmalloc, "direct map"',
    },
    physical: {
      type: 'string',
      valueHint: 'RANGE',
      description: 'Who maps these physical addresses: FIRST, FIRST-LAST or FIRST+BYTES',
    },
  },
  runFind,
  [
    'find vmcore --writable --executable',
    'find vmcore --physical 0x1234000',
    'find vmcore --executable --region vmalloc',
    'find vmcore --user --not dirty --size 2M --json',
  ],
);

async function runFind(values: FindValues, io: Console): Promise<void> {
  const filter = filterOf(values);
  const open = await openRoot(values, io);
  try {
    const { chosen, layout } = open;
    const names = [...new Set(layout.regions.map(({ name }) => name))];
    if (filter.region !== undefined && !names.includes(filter.region))
      throw unknown('region', filter.region, names);
    const sizes = leafSizesOf(chosen.table);
    if (filter.leafBytes !== undefined && !sizes.includes(filter.leafBytes))
      throw new UsageError(
        `--size is '${printable(values.size ?? '')}', and no leaf of ${chosen.format.name} has that size; expected ${sizes.map(size).join(', ')}`,
      );
    const asked = withPages(chosen.table, filter);
    const colours = coloursOf(io);
    if (values.json !== true) io.stdout.write(`${titleOf(open)}\n`);
    const sums = { runs: 0, bytes: 0n, missing: 0, again: 0 };
    await printRows(io.stdout, findRuns(chosen.table, asked, layout.regions), (row) => {
      if (row.kind === 'leaves') {
        sums.runs++;
        sums.bytes += row.bytes;
      } else sums[row.kind]++;
      if (values.json === true) return jsonOf(row);
      return row.kind === 'leaves' ? leafLine(row, colours) : unlistedLine(row, colours);
    });
    io.stderr.write(`${sums.runs === 0 ? 'none' : `${plural(sums.runs, 'run')}, ${size(sums.bytes)}`}\n`);
    if (sums.missing > 0)
      io.stderr.write(
        `${plural(sums.missing, 'table is', 'tables are')} not in the dump: what they map is unknown\n`,
      );
    if (sums.again > 0)
      io.stderr.write(
        `${plural(sums.again, 'table was', 'tables were')} met again too often: see where it is listed\n`,
      );
  } finally {
    open.close();
  }
}

/** Bytes of a leaf of each level that may have one, smallest first. A contiguous or NAPOT run is several leaves. */
function leafSizesOf({ format }: PageTableReader): readonly bigint[] {
  return format.levels
    .filter(({ leaf }) => leaf)
    .map(({ shift }) => 1n << BigInt(shift))
    .reverse();
}

/** Lists take whole pages. */
function withPages(table: PageTableReader, filter: FindFilter): FindFilter {
  const { va, bytes = 1n, ...others } = filter;
  return va === undefined ? filter : { ...others, ...pagesOf(table, { start: va, bytes }) };
}

/** @throws UsageError when filters contradict each other, or there is none. */
function filterOf(values: FindValues): FindFilter {
  const flags = new Map<Flag, boolean>();
  const add = (name: Flag, isSet: boolean): void => {
    if (flags.get(name) === !isSet) throw new UsageError(`${name} is asked for and refused: leave one out`);
    flags.set(name, isSet);
  };
  for (const name of NAMES) if (values[name] === true) add(name, true);
  for (const name of values.not?.split(',') ?? []) {
    if (!NAMES.includes(name as Flag)) throw unknown('name in --not', name, NAMES);
    add(name as Flag, false);
  }
  if (values.kernel === true) {
    if (flags.get('user') === true)
      throw new UsageError('--user and --kernel: no page belongs to both; leave one out');
    add('user', false);
  }
  const physical = values.physical === undefined ? null : rangeOf('--physical', values.physical);
  const virtual = values.va === undefined ? null : rangeOf('--va', values.va);
  const filter: FindFilter = {
    ...Object.fromEntries(flags),
    ...(values.memory === undefined ? {} : { memory: memoryOf(values.memory) }),
    ...(values.size === undefined ? {} : { leafBytes: bytesOf('--size', values.size) }),
    ...(values.region === undefined ? {} : { region: values.region }),
    ...(physical === null ? {} : { physical: physical.start, physicalBytes: physical.bytes }),
    ...(virtual === null ? {} : { va: virtual.start, bytes: virtual.bytes }),
  };
  if (Object.keys(filter).length === 0)
    throw new UsageError(
      'nothing is looked for: give a filter, such as --writable --executable; leaves lists all',
    );
  return filter;
}

const MEMORY: readonly MemoryType[] = [
  ...(['normal', 'tagged', 'write-combining', 'write-through'] as const),
  ...(['write-protected', 'device', 'uncached', 'unpredictable'] as const),
];

function memoryOf(text: string): MemoryType {
  const found = MEMORY.find((one) => one === text);
  if (found === undefined) throw unknown('memory type', text, MEMORY);
  return found;
}
