import { type Command, type Console, oneOf, UsageError } from '@vmarea/cli';
import { type Access, hex } from '@vmarea/core';
import { DUMP_ARGUMENTS, ROOT_ARGUMENTS, type RootValues } from '../input/arguments.js';
import { addressOf } from '../input/numbers.js';
import { openRoot } from '../input/open-root.js';
import { jsonOf } from '../output/json.js';
import { printRows } from '../output/lines.js';
import { bothSides, type Colours, coloursOf, size } from '../output/text.js';
import { titleOf } from '../output/title.js';
import { describeWalk, type WalkedEntry, type WalkRow } from '../show/walk.js';
import { inspectCommand } from './command.js';

interface WalkValues extends RootValues {
  readonly access?: string;
  readonly user?: boolean;
}

/** `walk`: every entry on the way of an address. */
export const walk: Command = inspectCommand(
  'walk',
  'Show every entry that the MMU reads for an address, its bits by name, the rights so far, or the fault',
  {
    ...DUMP_ARGUMENTS,
    addresses: { type: 'positional', valueHint: 'VA…', description: 'Virtual addresses, hexadecimal' },
    ...ROOT_ARGUMENTS,
    access: { type: 'string', valueHint: 'KIND', description: 'Judge this access: read, write or execute' },
    user: { type: 'boolean', description: 'The access is one of user mode' },
  },
  runWalk,
  [
    'walk vmcore ffffffff81000000',
    'walk vmcore 0x7ffcb15d9000 --root process --access write --user',
    'walk vmcore 0x400000 --ttbr0 0x44457000 --json',
  ],
);

async function runWalk(values: WalkValues, io: Console): Promise<void> {
  const addresses = values._.slice(1).map((text) => addressOf('an argument', text));
  const access = accessOf(values);
  const open = await openRoot(values, io);
  try {
    const { chosen, layout } = open;
    const colours = coloursOf(io);
    if (values.json !== true) io.stdout.write(`${titleOf(open)}\n`);
    await printRows(io.stdout, addresses, (va) => {
      const row = describeWalk(chosen, va, layout.regions, access);
      return values.json === true ? jsonOf(row) : textOf(row, colours);
    });
  } finally {
    open.close();
  }
}

function accessOf({ access, user }: WalkValues): Access | undefined {
  if (access === undefined) {
    if (user === true) throw new UsageError('--user says whose the access is: give --access too');
    return undefined;
  }
  const kind = oneOf('--access', access, ['read', 'write', 'execute'], 'read');
  return { kind, user: user === true };
}

function textOf({ va, pa, region, entries, leaf, fault }: WalkRow, colours: Colours): string {
  const { bold, red, green } = colours;
  const lines = [`\n${bold(hex(va))}${region === null ? '' : `  ${region}`}`];
  for (const entry of entries) lines.push(...entryLines(entry, colours));
  if (leaf !== null && pa !== null) {
    const { protection, leafBytes, runBytes } = leaf;
    const run = runBytes === null ? '' : ` in a run of ${size(runBytes)}`;
    lines.push(
      `  ${green('->')} ${hex(pa)}, in a leaf of ${size(leafBytes)}${run} at ${hex(leaf.pa)}, ${protection.memory}`,
    );
  }
  if (fault !== null) {
    const { kind, level, code } = fault;
    lines.push(`  ${red('fault')}: ${kind} at ${level}, ${code.name} 0x${code.code.toString(16)}`);
  }
  return lines.join('\n');
}

/** Bits that are named and say something: those that must be 0 and are, and those that nobody reads, do not. */
function entryLines(
  { level, index, address, entry, kind, fields, rights }: WalkedEntry,
  { dim }: Colours,
): string[] {
  const said = fields.filter(
    ({ name, value, paBit }) => paBit !== null || value !== 0n || (name !== 'ignored' && name !== 'reserved'),
  );
  return [
    `  ${level}[${index}] at ${hex(address)}: ${hex(entry)} ${kind}${rights === null ? '' : `; ${bothSides(rights)}`}`,
    ...said.map(({ name, low, width, value, meaning }) => {
      const bits = width === 1 ? String(low) : `${low + width - 1}:${low}`;
      return `      ${dim(bits.padStart(5))}  ${name.padEnd(12)} 0x${value.toString(16)}  ${dim(meaning)}`;
    }),
  ];
}
