import { accessSync, constants, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Console, UsageError, whyUnreadable } from '@vmarea/cli';
import { printable } from '@vmarea/core';

/** A file for a report, in a folder that can be written to. */
export interface ReportFile {
  /** Writes it, and says so on standard error. */
  write(text: string): void;
}

/** The option for a report as a page. */
export const HTML_OPTION = {
  type: 'string',
  valueHint: 'FILE',
  description: 'Also write a page with charts and the data to this file',
} as const;

/**
 * The file of an option. It is checked before the run, since a mistake should not show after minutes.
 *
 * @param option - its name, for errors.
 * @returns `null` without the option.
 * @throws UsageError when it cannot be written.
 */
export function reportFile(
  option: string,
  file: string | undefined,
  { cwd, stderr }: Pick<Console, 'cwd' | 'stderr'>,
): ReportFile | null {
  if (file === undefined) return null;
  if (file === '' || file === '-') throw new UsageError(`${option} needs the name of a file`);
  const path = resolve(cwd, file);
  const name = printable(file);
  try {
    accessSync(dirname(path), constants.W_OK);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
      throw new UsageError(`${option} ${name} is a folder; name a file in it`);
  } catch (error) {
    throw error instanceof UsageError ? error : cannot(option, name, error);
  }
  return {
    write(text) {
      try {
        writeFileSync(path, text);
      } catch (error) {
        throw cannot(option, name, error);
      }
      stderr.write(`${name}: ${Math.ceil(Buffer.byteLength(text) / 1000)} kB\n`);
    },
  };
}

function cannot(option: string, name: string, error: unknown): UsageError {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const why = isMissing ? 'there is no such folder' : printable(whyUnreadable(error));
  return new UsageError(`${option} ${name} cannot be written: ${why}`, { cause: error });
}
