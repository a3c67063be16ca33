import { printable, VmError } from '../errors.js';
import type { AreaInfo, AreaWord } from './area.js';
import { AREA_WORDS, type VmallocinfoLine } from './vmallocinfo.js';

/** A line of /proc/vmallocinfo, parsed. */
export interface ParsedVmallocinfoLine extends VmallocinfoLine {
  /** Its number in the text, from 1. */
  readonly line: number;
  /** Words that this parser does not know, in order. Other kernel versions print others. */
  readonly unknown: readonly string[];
}

/** Smallest page size of Linux. Every size is a multiple of it. */
const SMALLEST_PAGE = 4096n;
/** Most characters of a faulty line that an error shows. */
const EXCERPT = 60;

/**
 * Parses a text of /proc/vmallocinfo. `formatVmallocinfo` turns the result back into what Linux 6.12 wrote,
 * byte for byte, except that hidden and hashed addresses become zeros. It leaves out what 6.12 does not
 * print: unknown words, `pages=0` and `phys=0x0`.
 *
 * Addresses whose distance is not the size are hidden ones (hashed or blanked for unprivileged readers);
 * they become `null`. Lines may end in CR LF. Empty lines are skipped. Callers stay as they are, with a
 * module and its build id.
 *
 * @param text - a whole file, or a part of one.
 * @param name - its name in errors.
 * @throws VmError `EINVAL` naming line and column, and what was expected there.
 *
 * @example
 * ```ts
 * for (const { start, bytes, info } of parseVmallocinfo(readFileSync('areas.txt', 'utf8')))
 *   console.log(start, bytes, info.caller, info.words);
 * ```
 */
export function parseVmallocinfo(text: string, name = 'vmallocinfo'): ParsedVmallocinfoLine[] {
  const result: ParsedVmallocinfoLine[] = [];
  let number = 0;
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    number++;
    const line = text.slice(at, text[end - 1] === '\r' && end > at ? end - 1 : end);
    at = end + 1;
    if (line.trim() !== '') result.push(new LineParser(line, number, name).parse());
  }
  return result;
}

/** Reads one line from left to right. */
class LineParser {
  #at = 0;
  readonly #text: string;
  readonly #line: number;
  readonly #name: string;

  constructor(text: string, line: number, name: string) {
    this.#text = text;
    this.#line = line;
    this.#name = name;
  }

  parse(): ParsedVmallocinfoLine {
    const first = this.#address('the first address');
    this.#expect(/-/y, "'-' between the addresses");
    const last = this.#address('the second address');
    this.#expect(/[ \t]+/y, 'a space before the size');
    const bytes = this.#size();
    const isHidden = first === null || last === null || last - first !== bytes;
    const place = { line: this.#line, start: isHidden ? null : first, end: isHidden ? null : last, bytes };
    const rest = this.#rest();
    if (rest === 'vm_map_ram') return { ...place, type: 'vm_map_ram', info: { isRam: true }, unknown: [] };
    if (rest === 'unpurged vm_area') return { ...place, type: 'unpurged', info: {}, unknown: [] };
    return { ...place, type: 'area', ...this.#description() };
  }

  /** An address; `null` when the kernel prints a placeholder for it. */
  #address(what: string): bigint | null {
    const token = this.#expect(
      /0x[0-9a-f]{1,16}(?![0-9a-z])|0x\(____ptrval____\)/iy,
      `${what}: 0x and up to 16 hex digits`,
    );
    return token.endsWith(')') ? null : BigInt(token);
  }

  #size(): bigint {
    const column = this.#at;
    const size = BigInt(this.#expect(/\d+(?=[ \t]|$)/y, 'the size in bytes: a decimal number'));
    if (size > 0n && size % SMALLEST_PAGE === 0n && size < 1n << 64n) return size;
    this.#at = column;
    return this.#fail(`a size that is a positive multiple of ${SMALLEST_PAGE} bytes below 2^64`);
  }

  /** The rest of the line, without surrounding spaces; empty when it is too long. */
  #rest(): string {
    return this.#text.length - this.#at > EXCERPT ? '' : this.#text.slice(this.#at).trim();
  }

  #description(): { info: AreaInfo; unknown: readonly string[] } {
    const info: { -readonly [K in keyof AreaInfo]: AreaInfo[K] } = {};
    const words: AreaWord[] = [];
    const nodes: { node: number; pages: number }[] = [];
    const unknown: string[] = [];
    let hasModule = false;
    for (let isFirst = true; this.#more(); isFirst = false) {
      const column = this.#at;
      const token = this.#expect(/[^ \t]+/y, 'a word');
      if (token.startsWith('[') && info.caller !== undefined && !hasModule) {
        info.caller += ` ${this.#module(column)}`;
        hasModule = true;
      } else if (token.startsWith('pages=')) {
        info.pages = Number(this.#value(column, /pages=(\d{1,15})$/, 'pages= and a decimal number'));
      } else if (token.startsWith('phys=')) {
        info.phys = BigInt(
          this.#value(column, /phys=(0x[0-9a-f]{1,16})$/i, 'phys=0x and up to 16 hex digits'),
        );
      } else if (/^N\d+=/.test(token)) {
        const what = 'the pages of one memory node: N, its number, = and a decimal number';
        nodes.push({
          node: Number(token.slice(1, token.indexOf('='))),
          pages: Number(this.#value(column, /N\d+=(\d+)$/, what)),
        });
      } else if ((AREA_WORDS as readonly string[]).includes(token)) {
        words.push(token as AreaWord);
      } else if (token === 'vpages') {
        info.vpages = true;
      } else if (isFirst && /\+0x[0-9a-f]+\/0x[0-9a-f]+$|^0x[0-9a-f]+$/i.test(token)) {
        info.caller = token;
      } else {
        unknown.push(token);
      }
    }
    if (words.length > 0) info.words = words;
    if (nodes.length > 0) info.nodes = nodes;
    return { info, unknown };
  }

  /** `[name]`; some kernels print a build id after the name. */
  #module(column: number): string {
    this.#at = column;
    return this.#expect(/\[[^\]]+\]/y, "a module name that ends in ']'");
  }

  #value(column: number, pattern: RegExp, what: string): string {
    const value = pattern.exec(this.#text.slice(column, this.#at))?.[1];
    if (value !== undefined) return value;
    this.#at = column;
    return this.#fail(what);
  }

  /** Skips spaces; false at the end of the line. */
  #more(): boolean {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++;
    return this.#at < this.#text.length;
  }

  #expect(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return this.#fail(what);
    this.#at += match[0].length;
    return match[0];
  }

  #fail(expected: string): never {
    const rest = this.#text.slice(this.#at, this.#at + EXCERPT);
    const more = this.#text.length > this.#at + EXCERPT ? '…' : '';
    const found = rest === '' ? 'the end of the line' : `'${printable(rest)}${more}'`;
    throw new VmError(
      'EINVAL',
      `${this.#name}:${this.#line}:${this.#at + 1}: expected ${expected}, found ${found}`,
    );
  }
}
