import type { AreaInfo, AreaWord } from './area.js';
import { isCertainCaller, isSymbol, MODULE } from './caller.js';
import { AREA_WORDS, type ParsedVmallocinfoLine } from './vmallocinfo-line.js';

/** Smallest page size of Linux. Every size is a multiple of it. */
const SMALLEST_PAGE = 4096n;
/** Longer than each of the two lines without a description. */
const SHORT = 60;

/** Where a line is wrong, from 0, and what was expected there. It is thrown inside, and is no error yet. */
export class LineFault {
  readonly column: number;
  readonly expected: string;

  constructor(column: number, expected: string) {
    this.column = column;
    this.expected = expected;
  }
}

/**
 * Parses one line.
 *
 * The words after the size are read in any order, but a caller only where every kernel prints it: first.
 *
 * @param text - without its newline; it may end in CR.
 * @param line - its number.
 * @throws LineFault when it is none of /proc/vmallocinfo.
 */
export function parseLine(text: string, line: number): ParsedVmallocinfoLine {
  return new LineParser(text, line).parse();
}

/** Reads one line from left to right. Every number is bounded before it is converted. */
class LineParser {
  #at = 0;
  /** What is printed again, and the same without CR. */
  readonly #whole: string;
  readonly #text: string;
  readonly #line: number;

  constructor(text: string, line: number) {
    this.#whole = text;
    this.#text = text.endsWith('\r') ? text.slice(0, -1) : text;
    this.#line = line;
  }

  parse(): ParsedVmallocinfoLine {
    const first = this.#address('the first address');
    this.#expect(/-/y, "'-' between the addresses");
    const last = this.#address('the second address');
    this.#expect(/[ \t]+/y, 'a space before the size');
    const bytes = this.#size();
    const isHidden = first === null || last === null || last - first !== bytes;
    const place = {
      ...{ line: this.#line, text: this.#whole },
      ...{ start: isHidden ? null : first, end: isHidden ? null : last, bytes },
    };
    const rest = this.#rest();
    if (rest === 'vm_map_ram') return { ...place, type: 'vm_map_ram', info: { isRam: true }, unknown: [] };
    if (rest === 'unpurged vm_area') return { ...place, type: 'unpurged', info: {}, unknown: [] };
    return { ...place, type: 'area', ...this.#description() };
  }

  /** An address; `null` when the kernel prints a placeholder for it. */
  #address(what: string): bigint | null {
    const token = this.#expect(
      /0x[0-9a-f]{1,16}(?![0-9a-z])|0x\((?:____ptrval____|ptrval)\)/iy,
      `${what}: 0x and up to 16 hex digits`,
    );
    return token.endsWith(')') ? null : BigInt(token);
  }

  #size(): bigint {
    const column = this.#at;
    const rule = `a size that is a positive multiple of ${SMALLEST_PAGE} bytes below 2^64`;
    // More digits than 2^64 has: converting them takes time that grows with their square.
    if (/^\d{21}/.test(this.#text.slice(column, column + 21))) throw new LineFault(column, rule);
    const size = BigInt(this.#expect(/\d{1,20}(?=[ \t]|$)/y, 'the size in bytes: a decimal number'));
    if (size > 0n && size % SMALLEST_PAGE === 0n && size < 1n << 64n) return size;
    throw new LineFault(column, rule);
  }

  /** The rest of the line, without surrounding spaces; empty when it is too long. */
  #rest(): string {
    return this.#text.length - this.#at > SHORT ? '' : this.#text.slice(this.#at).trim();
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
      if (isFirst && this.#isCaller(token)) {
        info.caller = token;
      } else if (token.startsWith('[') && info.caller !== undefined && !hasModule) {
        info.caller += ` ${this.#module(column)}`;
        hasModule = true;
      } else if (token.startsWith('pages=')) {
        info.pages = Number(value(token, column, /^pages=(\d{1,15})$/, 'pages= and a decimal number'));
      } else if (token.startsWith('phys=')) {
        const what = 'phys= or phys=0x and up to 16 hex digits';
        info.phys = BigInt(`0x${value(token, column, /^phys=(?:0x)?([0-9a-f]{1,16})$/i, what)}`);
      } else if (/^N\d+=/.test(token)) {
        const what = 'the pages of one memory node: N, its number, = and a decimal number';
        nodes.push({
          node: Number(value(token, column, /^N(\d{1,9})=\d{1,15}$/, what)),
          pages: Number(token.slice(token.indexOf('=') + 1)),
        });
      } else if (isAreaWord(token)) {
        words.push(token);
      } else if (token === 'vpages') {
        info.vpages = true;
      } else {
        unknown.push(token);
      }
    }
    if (words.length > 0) info.words = words;
    if (nodes.length > 0) info.nodes = nodes;
    return { info, unknown };
  }

  /**
   * True when the first word after the size is a caller. A tool that prints callers without offset may print
   * `vmap`. That is the caller where Linux's order makes it no word: `vmap vmap`, `vmap pages=1`.
   */
  #isCaller(token: string): boolean {
    if (isCertainCaller(token)) return true;
    if (!isSymbol(token)) return false;
    const rank = rankOf(token);
    if (rank < 0) return true;
    const next = /[ \t]+([^ \t]{1,20})/y;
    next.lastIndex = this.#at;
    const after = next.exec(this.#text)?.[1] ?? '';
    const order = rankOf(after);
    return /^(?:pages|phys)=/.test(after) || (order >= 0 && order <= rank);
  }

  /** `[name]`; some kernels print a build id after the name. */
  #module(column: number): string {
    this.#at = column;
    return this.#expect(MODULE, "a module name that ends in ']'");
  }

  /** Skips spaces; false at the end of the line. */
  #more(): boolean {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++;
    return this.#at < this.#text.length;
  }

  #expect(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) throw new LineFault(this.#at, what);
    this.#at += match[0].length;
    return match[0];
  }
}

function value(token: string, column: number, pattern: RegExp, what: string): string {
  const found = pattern.exec(token)?.[1];
  if (found === undefined) throw new LineFault(column, what);
  return found;
}

function isAreaWord(token: string): token is AreaWord {
  return (AREA_WORDS as readonly string[]).includes(token);
}

/** A word's place in Linux's order; -1 for others. */
function rankOf(token: string): number {
  return token === 'vpages' ? AREA_WORDS.length : (AREA_WORDS as readonly string[]).indexOf(token);
}
