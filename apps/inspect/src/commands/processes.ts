import { type Command, type Console, plural, textTable, UsageError } from '@vmarea/cli';
import { hex } from '@vmarea/core';
import { DUMP_ARGUMENTS, type DumpValues } from '../input/arguments.js';
import { openDump } from '../input/open-dump.js';
import { jsonOf } from '../output/json.js';
import { printRows } from '../output/lines.js';
import { size } from '../output/text.js';
import { listProcesses, type ProcessRow } from '../show/processes.js';
import { inspectCommand } from './command.js';

/** `processes`: roots of processes without symbols. */
export const processes: Command = inspectCommand(
  'processes',
  'Find the roots of all processes without symbols, by the half of the kernel that they share',
  DUMP_ARGUMENTS,
  runProcesses,
  ['processes vmcore', 'processes vmcore --json'],
);

async function runProcesses(values: DumpValues, io: Console): Promise<void> {
  const dump = openDump(values, io);
  try {
    const kernel = dump.found.best;
    if (kernel === null)
      throw new UsageError('no root of the kernel is believed, and processes are told by it: see info');
    const rows = listProcesses(dump.image, kernel, { progress: dump.progress('looks for processes') });
    const all: ProcessRow[] = [];
    const kept = function* (): Generator<ProcessRow> {
      for (const row of rows) {
        all.push(row);
        yield row;
      }
    };
    if (values.json === true) await printRows(io.stdout, kept(), jsonOf);
    else if ([...kept()].length > 0) io.stdout.write(`${tableOf(all)}\n`);
    tellHoles(all, io);
  } finally {
    dump.close();
  }
}

function tellHoles(rows: readonly ProcessRow[], io: Console): void {
  const sum = (name: 'missing' | 'again'): number => rows.reduce((total, row) => total + row[name], 0);
  const [missing, again] = [sum('missing'), sum('again')];
  if (rows.length === 0) io.stderr.write('none\n');
  if (missing > 0)
    io.stderr.write(
      `${plural(missing, 'table is', 'tables are')} not in the dump: what they map is unknown\n`,
    );
  if (again > 0)
    io.stderr.write(
      `${plural(again, 'table was', 'tables were')} met again too often: what they map is not counted\n`,
    );
}

function tableOf(rows: readonly ProcessRow[]): string {
  const address = (value: bigint | null): string => (value === null ? '–' : hex(value));
  /** Where tables are missing, none is not known to be none. */
  const known = ({ missing, userBytes }: ProcessRow, text: string): string =>
    userBytes === 0n && missing > 0 ? '?' : text;
  return textTable<ProcessRow>(
    [
      { head: 'root', align: 'left', cell: ({ root }) => hex(root) },
      { head: 'root of user mode', align: 'left', cell: ({ userRoot }) => address(userRoot) },
      { head: 'entries', align: 'right', cell: ({ entries }) => String(entries) },
      { head: 'missing tables', align: 'right', cell: ({ missing }) => String(missing) },
      { head: 'mapped', align: 'right', cell: (row) => known(row, size(row.userBytes)) },
      { head: 'lowest', align: 'left', cell: (row) => known(row, address(row.lowest)) },
      { head: 'highest', align: 'left', cell: (row) => known(row, address(row.highest)) },
    ],
    rows,
  );
}
