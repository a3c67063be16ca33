import { type Command, type Console, plural, textTable } from '@vmarea/cli';
import { hex, printable } from '@vmarea/core';
import { DUMP_ARGUMENTS, type DumpValues } from '../input/arguments.js';
import { openDump } from '../input/open-dump.js';
import { documentOf } from '../output/json.js';
import { type Colours, coloursOf, size, span } from '../output/text.js';
import { describeImage, type ImageInfo, type RootInfo } from '../show/info.js';
import { inspectCommand } from './command.js';

/** `info`: what a dump is, and its roots. */
export const info: Command = inspectCommand(
  'info',
  'Show container, machine, kernel and memory of a dump, and the roots of its page tables with reasons',
  DUMP_ARGUMENTS,
  runInfo,
  [
    'info vmcore',
    'info part1 --parts part2,part3',
    'info memory.bin --map 0',
    'info vmcore --scan always --json',
  ],
);

async function runInfo(values: DumpValues, io: Console): Promise<void> {
  const dump = openDump(values, io);
  try {
    const shown = describeImage(dump.image, dump.found);
    io.stdout.write(
      `${values.json === true ? documentOf(shown) : textOf(inPrintable(shown), coloursOf(io))}\n`,
    );
  } finally {
    dump.close();
  }
}

/** Texts of the dump come in names, reasons and checks, so all texts are made printable here. */
function inPrintable<T>(value: T): T {
  if (typeof value === 'string') return printable(value) as T;
  if (Array.isArray(value)) return value.map(inPrintable) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, inPrintable(one)])) as T;
}

function textOf(shown: ImageInfo, colours: Colours): string {
  const { container, machine, pageSize, kernel, memory, processors, roots, best, reasons } = shown;
  const files = container.files === 1 ? '' : `, ${plural(container.files, 'file')}`;
  const lines: [string, string][] = [
    ['container', `${container.isFlattened ? 'flattened ' : ''}${container.kind}${files}`],
    ['machine', machine === null ? 'unknown' : machine.name],
    ['page size', pageSize === null ? 'unknown' : size(BigInt(pageSize))],
    ['kernel', kernel.release ?? 'unknown'],
    ['VMCOREINFO', kernel.vmcoreinfo.map(({ from }) => from).join(', ') || 'none'],
    ['memory', `${size(memory.bytes)} in ${plural(memory.total, 'range')}`],
    ...memory.ranges.map(({ address, bytes }): [string, string] => [
      '',
      `${span(address, bytes)}  ${size(bytes)}`,
    ]),
    ...(memory.total > memory.ranges.length ? [['', '…'] as [string, string]] : []),
    ['processors', processors === 0 ? 'no registers' : `registers of ${processors}`],
  ];
  const head = lines.map(([name, text]) => `${name.padEnd(12)}${text}`).join('\n');
  const table =
    roots.length === 0
      ? 'no root of page tables was found'
      : textTable<RootInfo>(
          [
            { head: '#', align: 'right', cell: ({ number }) => String(number) },
            { head: 'root', align: 'left', cell: ({ root }) => hex(root) },
            { head: 'of', align: 'left', cell: ({ role }) => role },
            { head: 'format', align: 'left', cell: ({ format }) => format },
            { head: 'believed', align: 'left', cell: (one) => believed(one, best) },
          ],
          roots,
        );
  const why = roots.map((one) => reasonsOf(one, colours)).join('\n');
  return [head, '', table, ...(why === '' ? [] : ['', why]), ...reasons].join('\n');
}

function believed({ isBelieved, number }: RootInfo, best: number | null): string {
  if (!isBelieved) return 'no';
  return number === best ? 'yes, used' : 'yes';
}

/** Where a root is from, and what was checked. */
function reasonsOf(
  { number, from, checks, isBelieved, whyNot }: RootInfo,
  { green, red, dim }: Colours,
): string {
  const lines = checks.map(({ isPassed, found }) => {
    const sign = isPassed === null ? dim('?') : isPassed ? green('+') : red('-');
    return `   ${sign} ${found}`;
  });
  const last = isBelieved || checks.some(({ found }) => found === whyNot) ? [] : [`   ${red('-')} ${whyNot}`];
  return [`${number}: from ${from}`, ...lines, ...last].join('\n');
}
