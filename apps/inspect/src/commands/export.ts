import * as fs from 'node:fs';
import { type Command, type Console, plural, UsageError, whyUnreadable } from '@vmarea/cli';
import { printable } from '@vmarea/core';
import { fileSource, findRoots, openImage } from '@vmarea/image';
import { DUMP_ARGUMENTS, ROOT_ARGUMENTS, type RootValues } from '../input/arguments.js';
import { openRoot } from '../input/open-root.js';
import { FORMATS } from '../machines/machines.js';
import { documentOf } from '../output/json.js';
import { size } from '../output/text.js';
import { type CutTables, cutTables } from '../tables/cut.js';
import { inspectCommand } from './command.js';

interface ExportValues extends RootValues {
  readonly output?: string;
}

/** `export`: the tables alone. */
export const exportTables: Command = inspectCommand(
  'export',
  'Write the page tables of a root, and nothing else, to a small file that every command opens',
  {
    ...DUMP_ARGUMENTS,
    ...ROOT_ARGUMENTS,
    output: { type: 'string', valueHint: 'OUTPUT', description: 'The new file. Default: FILE.ptimage' },
  },
  runExport,
  ['export vmcore --output tables.ptimage', 'export vmcore --root process'],
);

async function runExport(values: ExportValues, io: Console): Promise<void> {
  const open = await openRoot(values, io);
  try {
    const output = values.output ?? `${values.file}.ptimage`;
    const tables = cutTables(open.chosen, open.image);
    write(output, tables);
    const { root, format } = open.chosen;
    const opensItself = isFound(output, root);
    const { frames, bytes, registers } = tables;
    if (values.json === true) {
      const result = {
        file: output,
        tables: frames,
        bytes,
        root,
        format: format.name,
        registers,
        opensItself,
      };
      io.stdout.write(`${documentOf(result)}\n`);
      return;
    }
    io.stdout.write(
      `${printable(output)}: ${plural(frames, 'table')} of ${format.name}, ${size(BigInt(bytes))} bytes\n`,
    );
    if (!opensItself)
      io.stdout.write(
        `its root is not found by itself: open it with --root 0x${root.toString(16)} --format ${format.name}\n`,
      );
  } finally {
    open.close();
  }
}

function write(output: string, tables: CutTables): void {
  let fd: number | null = null;
  try {
    fd = fs.openSync(output, 'wx');
    for (const part of tables.parts()) fs.writeSync(fd, part);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const why = isThere
      ? 'it exists already; remove it, or name another with --output'
      : whyUnreadable(error);
    throw new UsageError(`cannot write ${printable(output)}: ${why}`, { cause: error });
  } finally {
    if (fd !== null) fs.closeSync(fd);
  }
}

/** True when the file opens, and its best root is the one that was cut. */
function isFound(output: string, root: bigint): boolean {
  const fd = fs.openSync(output, 'r');
  try {
    return findRoots(openImage(fileSource(fd, fs)), { formats: FORMATS, scan: 'never' }).best?.root === root;
  } finally {
    fs.closeSync(fd);
  }
}
