import type { AreaInfo, AreaWord } from './area.js';
import { isCertainCaller, isSymbol, MODULE } from './caller.js';
import { AREA_WORDS, type ParsedVmallocinfoLine } from './vmallocinfo-line.js';

/** The bits below the smallest page size of Linux. Every size is a multiple of it. */
const BELOW_PAGE = 4095n;
const SIZE_LIMIT = 1n << 64n;
const SIZE_RULE = 'a size that is a positive multiple of 4096 bytes below 2^64';
/** Longer than each of the two lines without a description. */
const SHORT = 60;

/*
 * What a line consists of. These are made once: a pattern inside a function is a new object at each call, and that took most of the time
 * of a line. Each is sticky, so it starts where it is told and keeps nothing between calls.
 */
const ADDRESS = /0x[0-9a-f]{1,16}(?![0-9a-z])|0x\((?:____ptrval____|ptrval)\)/iy;
const DASH = /-/y;
const SPACES = /[ \t]+/y;
const WORD = /[^ \t]+/y;
const SIZE = /\d{1,20}(?=[ \t]|$)/y;
const LONG_NUMBER = /\d{21}/y;
const NEXT_WORD = /[ \t]+([^ \t]{1,20})/y;
const PAGES = /^pages=(\d{1,15})$/;
const PHYS = /^phys=(?:0x)?([0-9a-f]{1,16})$/i;
const IS_NODE = /^N\d+=/;
const NODE = /^N(\d{1,9})=\d{1,15}$/;
const WITH_VALUE = /^(?:pages|phys)=/;

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
    const first = this.#address('the first address: 0x and up to 16 hex digits');
    this.#expect(DASH, "'-' between the addresses");
    const last = this.#address('the second address: 0x and up to 16 hex digits');
    this.#expect(SPACES, 'a space before the size');
    const bytes = this.#size();
    const isHidden = first === null || last === null || last - first !== bytes;
    const start = isHidden ? null : first;
    const end = isHidden ? null : last;
    const type = this.#type();
    const { info, unknown } =
      type === 'area'
        ? this.#description()
        : { info: type === 'unpurged' ? {} : { isRam: true }, unknown: [] };
    // No spread: a line's object would be made three times.
    return { line: this.#line, text: this.#whole, start, end, bytes, type, info, unknown };
  }

  /** The kind of the line, from all that is behind its size. */
  #type(): ParsedVmallocinfoLine['type'] {
    const rest = this.#rest();
    if (rest === 'vm_map_ram') return 'vm_map_ram';
    return rest === 'unpurged vm_area' ? 'unpurged' : 'area';
  }

  /** An address; `null` when the kernel prints a placeholder for it. */
  #address(what: string): bigint | null {
    const token = this.#expect(ADDRESS, what);
    return token.endsWith(')') ? null : BigInt(token);
  }

  #size(): bigint {
    const column = this.#at;
    // More digits than 2^64 has: converting them takes time that grows with their square.
    LONG_NUMBER.lastIndex = column;
    if (LONG_NUMBER.test(this.#text)) throw new LineFault(column, SIZE_RULE);
    const size = BigInt(this.#expect(SIZE, 'the size in bytes: a decimal number'));
    if (size > 0n && (size & BELOW_PAGE) === 0n && size < SIZE_LIMIT) return size;
    throw new LineFault(column, SIZE_RULE);
  }

  /** The rest of the line, without surrounding spaces; empty when it is too long. */
  #rest(): string {
    return this.#text.length - this.#at > SHORT ? '' : this.#text.slice(this.#at).trim();
  }

  #description(): { info: AreaInfo; unknown: readonly string[] } {
    const info: { -readonly [K in keyof AreaInfo]: AreaInfo[K] } = {};
    // Made with their first element: an empty array that grows gets room for seventeen.
    let words: AreaWord[] | undefined;
    let nodes: { node: number; pages: number }[] | undefined;
    const unknown: string[] = [];
    let hasModule = false;
    for (let isFirst = true; this.#more(); isFirst = false) {
      const column = this.#at;
      const token = this.#expect(WORD, 'a word');
      if (isFirst && this.#isCaller(token)) {
        info.caller = token;
      } else if (token.startsWith('[') && info.caller !== undefined && !hasModule) {
        info.caller += ` ${this.#module(column)}`;
        hasModule = true;
      } else if (token.startsWith('pages=')) {
        info.pages = Number(value(token, column, PAGES, 'pages= and a decimal number'));
      } else if (token.startsWith('phys=')) {
        const what = 'phys= or phys=0x and up to 16 hex digits';
        info.phys = BigInt(`0x${value(token, column, PHYS, what)}`);
      } else if (IS_NODE.test(token)) {
        const what = 'the pages of one memory node: N, its number, = and a decimal number';
        const node = Number(value(token, column, NODE, what));
        const one = { node, pages: Number(token.slice(token.indexOf('=') + 1)) };
        if (nodes === undefined) nodes = [one];
        else nodes.push(one);
      } else if (isAreaWord(token)) {
        if (words === undefined) words = [token];
        else words.push(token);
      } else if (token === 'vpages') {
        info.vpages = true;
      } else {
        unknown.push(token);
      }
    }
    if (words !== undefined) info.words = words;
    if (nodes !== undefined) info.nodes = nodes;
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
    NEXT_WORD.lastIndex = this.#at;
    const after = NEXT_WORD.exec(this.#text)?.[1] ?? '';
    const order = rankOf(after);
    return WITH_VALUE.test(after) || (order >= 0 && order <= rank);
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
    const from = this.#at;
    pattern.lastIndex = from;
    if (!pattern.test(this.#text)) throw new LineFault(from, what);
    this.#at = pattern.lastIndex;
    return this.#text.slice(from, this.#at);
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
