import * as fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type Command, type Console, onExit, plural, UsageError, whyUnreadable } from '@vmarea/cli';
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
    await write(output, tables);
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

/** Writes beside OUTPUT and renames at the end, so that no half file has its name. */
async function write(output: string, tables: CutTables): Promise<void> {
  const part = `${output}.part`;
  const remove = (): void => fs.rmSync(part, { force: true });
  let cancel: (() => void) | null = null;
  let fd: number | null = null;
  try {
    if (fs.existsSync(output)) throw existing(output);
    fd = fs.openSync(part, 'wx');
    cancel = onExit(remove);
    let written = 0;
    for (const bytes of tables.parts()) {
      writeAll(fd, bytes);
      // Signals come through between loops.
      if (++written % PARTS === 0) await setImmediate();
    }
    fs.closeSync(fd);
    fd = null;
    if (fs.existsSync(output)) throw existing(output);
    fs.renameSync(part, output);
  } catch (error) {
    // A file of somebody else stays.
    if (cancel !== null) remove();
    if (error instanceof UsageError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw existing(part);
    throw new UsageError(`cannot write ${printable(output)}: ${whyUnreadable(error)}`, { cause: error });
  } finally {
    if (fd !== null) fs.closeSync(fd);
    cancel?.();
  }
}

function existing(file: string): UsageError {
  return new UsageError(
    `cannot write ${printable(file)}: it exists already; remove it, or name another with --output`,
  );
}

/** Parts that are written between two looks at signals. */
const PARTS = 64;

/** A write may take less than it is given. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
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
