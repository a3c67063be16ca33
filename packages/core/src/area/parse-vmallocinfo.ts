import { optionsOf } from '../check/options.js';
import { printable, shown, VmError } from '../errors.js';
import { LineFault, parseLine } from './parse-line.js';
import type { BadVmallocinfoLine, ParsedVmallocinfoLine } from './vmallocinfo-line.js';
import { lineLooksLike } from './what-line.js';

/** What to do with lines that cannot be parsed. */
export interface ParseVmallocinfoOptions {
  /** Is given each line that cannot be parsed, in order. Parsing then goes on. Default: the first one throws. */
  readonly onBadLine?: (bad: BadVmallocinfoLine) => void;
}

/** Most characters of a faulty line that an error shows. */
const EXCERPT = 60;
const NOT_BLANK = /\S/;

/**
 * Parses a text of /proc/vmallocinfo. `formatVmallocinfo` turns the result back into the same bytes.
 *
 * It reads what Linux from 2.6.25 to today prints, with 4, 16 and 64 KiB pages and on 32-bit machines:
 * `phys=f0000` (before 4.11) and `phys=0x00000000000f0000`, callers with `+offset/length`, without, or as an
 * address, and the text of drgn's vmallocinfo.py. The first word after the size is the caller, if it is a
 * symbol or an address. Callers stay as they are, with a module and its build id.
 *
 * Addresses whose distance is not the size are hidden ones: hashed, `(____ptrval____)`, `(ptrval)` or zeros.
 * They become `null`. Lines may end in CR LF. Empty lines are skipped. The time is linear in the text.
 *
 * Source: `mm/vmalloc.c` of Linux 2.6.25 to 6.12, s_show, vmalloc_info_show, show_numa_info;
 * `contrib/vmallocinfo.py` of drgn.
 *
 * @param text - a whole file, or a part of one.
 * @param name - its name in errors.
 * @throws VmError `EINVAL` naming line and column, what was expected there, and what the line looks like: a
 *   mail's wrapped or quoted line, an indented one, a prompt. `EINVAL` for anything that is not text.
 *
 * @example
 * ```ts
 * for (const { start, bytes, info } of parseVmallocinfo(readFileSync('areas.txt', 'utf8')))
 *   console.log(start, bytes, info.caller, info.words);
 * ```
 */
export function parseVmallocinfo(
  text: string,
  name = 'vmallocinfo',
  options?: ParseVmallocinfoOptions,
): ParsedVmallocinfoLine[] {
  if (typeof text !== 'string')
    throw new VmError('EINVAL', `the text of vmallocinfo is ${shown(text)}, expected a string`);
  if (typeof name !== 'string')
    throw new VmError('EINVAL', `the name of the text is ${shown(name)}, expected a string`);
  const { onBadLine } = optionsOf<ParseVmallocinfoOptions>(options, ['onBadLine'], 'parseVmallocinfo()');
  if (onBadLine !== undefined && typeof onBadLine !== 'function')
    throw new VmError('EINVAL', `onBadLine is ${shown(onBadLine)}, expected a function`);
  const result: ParsedVmallocinfoLine[] = [];
  let number = 0;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(at, end);
    number++;
    at = end + 1;
    if (isBlank(line)) continue;
    try {
      result.push(parseLine(line, number));
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      const bad = badLine(line, number, name, error);
      if (onBadLine === undefined) throw new VmError('EINVAL', bad.message);
      onBadLine(bad);
    }
  }
  return result;
}

function isBlank(line: string): boolean {
  return !NOT_BLANK.test(line);
}

function badLine(text: string, line: number, name: string, fault: LineFault): BadVmallocinfoLine {
  const { column, expected } = fault;
  const end = text.endsWith('\r') ? text.length - 1 : text.length;
  const rest = text.slice(column, Math.min(end, column + EXCERPT));
  const more = end > column + EXCERPT ? '…' : '';
  const found = rest === '' ? 'the end of the line' : `'${printable(rest)}${more}'`;
  const hint = lineLooksLike(text.slice(0, end));
  return {
    ...{ line, column: column + 1, text: text.slice(0, EXCERPT) },
    message: `${name}:${line}:${column + 1}: expected ${expected}, found ${found}${hint === null ? '' : `; ${hint}`}`,
  };
}
