import { UsageError } from '../errors.js';

/** One line of /proc/vmallocinfo, as it stands there. */
export interface VmallocLine {
  /** Line number in the file, from 1. */
  readonly line: number;
  /** `area`: an ordinary one. The two others are lines that Linux prints without a description. */
  readonly type: 'area' | 'vm_map_ram' | 'unpurged';
  /** True when the addresses do not span the size: Linux hashed or blanked them for this reader. */
  readonly hashed: boolean;
  /** Size in bytes as Linux counts it, the guard included. */
  readonly size: number;
  /** Function that asked for the area, without offset, or its bare address; empty when there is none. */
  readonly caller: string;
  /** Module of the caller; empty for the kernel itself. */
  readonly module: string;
  /** `pages=`: base pages of the source kernel, when the line has it. */
  readonly pages: number | null;
  /** `phys=`: physical address, when the line has it. */
  readonly phys: bigint | null;
  /** The words that tell what kind of area it is. */
  readonly words: ReadonlySet<KnownWord>;
  /** Words that this parser does not know, in order. */
  readonly unknown: readonly string[];
}

/** Words that Linux prints after the caller. */
const KNOWN_WORDS = ['ioremap', 'sparse', 'vmalloc', 'vmap', 'user', 'dma-coherent', 'vpages'] as const;
type KnownWord = (typeof KNOWN_WORDS)[number];

/** Smallest page size of Linux: every size is a multiple of it. */
const SMALLEST_PAGE = 4096;
/** Characters of a faulty line that an error shows. */
const EXCERPT = 60;

/**
 * Parses the text of a whole /proc/vmallocinfo. Lines may end in CR LF; empty lines are passed over.
 *
 * @param text - the file's text.
 * @param file - its name, for errors.
 * @throws UsageError naming file, line, column and what was expected there.
 */
export function parseVmallocinfo(text: string, file: string): VmallocLine[] {
  const result: VmallocLine[] = [];
  let number = 0;
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    number++;
    const line = text.slice(at, text[end - 1] === '\r' && end > at ? end - 1 : end);
    at = end + 1;
    if (line.trim() !== '') result.push(new LineParser(line, number, file).parse());
  }
  return result;
}

/** Reads one line from left to right. */
class LineParser {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly line: number,
    private readonly file: string,
  ) {}

  parse(): VmallocLine {
    const start = this.address('the first address');
    this.expect(/-/y, "'-' between the addresses");
    const end = this.address('the second address');
    this.expect(/[ \t]+/y, 'a space before the size');
    const size = this.sizeInBytes();
    const hashed = start === null || end === null || end - start !== BigInt(size);

    const line = { line: this.line, hashed, size, caller: '', module: '', pages: null, phys: null };
    const rest = this.rest();
    if (rest === 'vm_map_ram') return { ...line, type: 'vm_map_ram', words: new Set(), unknown: [] };
    if (rest === 'unpurged vm_area') return { ...line, type: 'unpurged', words: new Set(), unknown: [] };
    return { ...line, type: 'area', ...this.description() };
  }

  /** An address, or `null` when the kernel prints a placeholder for it. */
  private address(what: string): bigint | null {
    const token = this.expect(
      /0x[0-9a-f]{1,16}(?![0-9a-z])|0x\(____ptrval____\)/iy,
      `${what}: 0x and up to 16 hex digits`,
    );
    return token.endsWith(')') ? null : BigInt(token);
  }

  private sizeInBytes(): number {
    const column = this.at;
    const size = Number(this.expect(/\d+(?=[ \t]|$)/y, 'the size in bytes: a decimal number'));
    if (!Number.isSafeInteger(size) || size === 0 || size % SMALLEST_PAGE !== 0) {
      this.at = column;
      this.fail(`a size that is a positive multiple of ${SMALLEST_PAGE} bytes`);
    }
    return size;
  }

  /** What follows on the line, without surrounding spaces. */
  private rest(): string {
    const end = this.at + 40;
    return end < this.text.length ? '' : this.text.slice(this.at).trim();
  }

  private description(): Pick<VmallocLine, 'caller' | 'module' | 'pages' | 'phys' | 'words' | 'unknown'> {
    let caller = '';
    let module = '';
    let pages: number | null = null;
    let phys: bigint | null = null;
    const words = new Set<KnownWord>();
    const unknown: string[] = [];
    for (let first = true; this.more(); first = false) {
      const column = this.at;
      const token = this.token();
      if (token.startsWith('[') && caller !== '' && module === '') {
        module = this.module(column);
      } else if (token.startsWith('pages=')) {
        pages = Number(this.value(column, /pages=(\d{1,15})$/, 'pages= and a decimal number'));
      } else if (token.startsWith('phys=')) {
        phys = BigInt(this.value(column, /phys=(0x[0-9a-f]{1,16})$/i, 'phys=0x and up to 16 hex digits'));
      } else if (/^N\d+=/.test(token)) {
        this.value(
          column,
          /N\d+=(\d+)$/,
          'the pages of one memory node: N, its number, = and a decimal number',
        );
      } else if ((KNOWN_WORDS as readonly string[]).includes(token)) {
        words.add(token as KnownWord);
      } else if (first && /\+0x[0-9a-f]+\/0x[0-9a-f]+$|^0x[0-9a-f]+$/i.test(token)) {
        caller = token.replace(/\+0x[0-9a-f]+\/0x[0-9a-f]+$/i, '');
      } else {
        unknown.push(token);
      }
    }
    return { caller, module, pages, phys, words, unknown };
  }

  /** The module's name; some kernels print a build id behind it, inside the brackets. */
  private module(column: number): string {
    this.at = column;
    return this.expect(/\[[^\]]+\]/y, "a module name that ends in ']'")
      .slice(1, -1)
      .replace(/\s.*$/, '');
  }

  private value(column: number, pattern: RegExp, what: string): string {
    const token = this.text.slice(column, this.at);
    const value = pattern.exec(token)?.[1];
    if (value === undefined) {
      this.at = column;
      this.fail(what);
    }
    return value;
  }

  /** Passes over spaces; false at the end of the line. */
  private more(): boolean {
    while (this.text[this.at] === ' ' || this.text[this.at] === '\t') this.at++;
    return this.at < this.text.length;
  }

  private token(): string {
    return this.expect(/[^ \t]+/y, 'a word');
  }

  private expect(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) this.fail(what);
    this.at += match[0].length;
    return match[0];
  }

  private fail(expected: string): never {
    const rest = this.text.slice(this.at, this.at + EXCERPT);
    const more = this.text.length > this.at + EXCERPT ? '…' : '';
    const found = rest === '' ? 'the end of the line' : `'${printable(rest)}${more}'`;
    throw new UsageError(`${this.file}:${this.line}:${this.at + 1}: expected ${expected}, found ${found}`);
  }
}

/** Shows control characters as escapes, so that no input can play with the terminal. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (c) => `\\u{${(c.codePointAt(0) as number).toString(16)}}`,
  );
}
