import { type Command, type Console, textTable, UsageError } from '@vmarea/cli';
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
    if (values.json === true) return await printRows(io.stdout, rows, jsonOf);
    io.stdout.write(`${tableOf([...rows])}\n`);
  } finally {
    dump.close();
  }
}

function tableOf(rows: readonly ProcessRow[]): string {
  const address = (value: bigint | null): string => (value === null ? '–' : hex(value));
  return textTable<ProcessRow>(
    [
      { head: 'root', align: 'left', cell: ({ root }) => hex(root) },
      { head: 'root of user mode', align: 'left', cell: ({ userRoot }) => address(userRoot) },
      { head: 'entries', align: 'right', cell: ({ entries }) => String(entries) },
      { head: 'mapped', align: 'right', cell: ({ userBytes }) => size(userBytes) },
      { head: 'lowest', align: 'left', cell: ({ lowest }) => address(lowest) },
      { head: 'highest', align: 'left', cell: ({ highest }) => address(highest) },
    ],
    rows,
  );
}
