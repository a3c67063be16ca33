import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { count, plural, UsageError } from '@vmarea/cli';
import { printable } from '@vmarea/core';
import { whyUnreadable } from '../input/unreadable.js';
import { parseFtrace } from './ftrace.js';
import { type Damage, type Event, eventsOf, MOST_NODES, pageOf, type Row, type Trace } from './trace.js';
import { type Unpacked, unpacked } from './unpacked.js';

/**
 * Reads a trace: a folder with `trace.tsv.gz`, such a file, or ftrace text, plain or gzip. A gzip file that is cut off is read up to there.
 *
 * @throws UsageError when it cannot be read or is not a trace.
 */
export function readTrace(path: string): Trace {
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  const file = isFolder ? join(path, 'trace.tsv.gz') : path;
  let read: Unpacked;
  try {
    read = unpacked(readFileSync(file));
  } catch (error) {
    throw new UsageError(`cannot read ${printable(file)}: ${printable(whyUnreadable(error, file))}`);
  }
  const { text, isCut } = read;
  const name = basename(isFolder ? path : path.replace(/\.tsv(\.gz)?$/, ''));
  try {
    const isText = !isFolder && !/^#(page|cpus|nodes|w) /.test(text) && !/^\d+\t/.test(text);
    const trace = isText
      ? parseFtrace(text, file, name)
      : new TraceParser(text, file).parse(name, isFolder ? path : null);
    return isCut ? cutOff(trace) : trace;
  } catch (error) {
    if (!isCut || !(error instanceof UsageError)) throw error;
    throw new UsageError(
      `${error.message}; the gzip file is cut off after ${plural(text.length, 'byte')} of text`,
    );
  }
}

/** A trace whose gzip file has no end. That is one place with damage, whatever its last line is. */
function cutOff(trace: Trace): Trace {
  const events = eventsOf(trace);
  const last = trace.rows.at(-1)?.line;
  const where =
    last === undefined ? 'before the first row' : `after ${plural(events, 'event')}, in line ${count(last)}`;
  const others = (trace.damage ?? []).filter(({ what }) => what !== CUT_LINE);
  return {
    ...trace,
    isCut: true,
    damage: [...others, { line: last ?? null, what: `the gzip file is cut off ${where}` }],
  };
}

/** What is said of a last line without its end. */
const CUT_LINE = 'the last line is cut off, and passed over';

class TraceParser {
  readonly #lines: readonly string[];
  readonly #file: string;
  #pageShift = 0;
  #line = 0;
  readonly #windows: { vstart: number; vend: number }[] = [];
  /** Online processors and nodes; 0 while unknown. */
  #cpus = 0;
  #nodes = 0;

  constructor(text: string, file: string) {
    this.#lines = text.split('\n');
    this.#file = file;
  }

  parse(name: string, folder: string | null): Trace {
    const rows: Row[] = [];
    const damage: Damage[] = [];
    let hasLocks = false;
    let isCut = false;
    for (const line of this.#lines) {
      this.#line++;
      if (line === '') continue;
      if (line.startsWith('#')) {
        this.#head(line);
        continue;
      }
      if (this.#pageShift === 0) this.#fail('a line #page with the page size first');
      // The last line has no end: more digits may follow.
      if (this.#line === this.#lines.length && !isWholeWithoutEnd(line)) {
        damage.push({ line: this.#line, what: CUT_LINE });
        isCut = true;
        continue;
      }
      const fields = line.split('\t');
      const event = this.#event(fields);
      if (event.type === 'lock') hasLocks = true;
      const cpu = this.#whole(fields[1] ?? '', 0, MOST_CPUS - 1);
      rows.push({ cpu, thread: fields[2] as string, event, line: this.#line });
    }
    if (this.#windows[0] === undefined) this.#fail('a line #w 0 with the window of vmalloc');
    const cpus = this.#cpus || 1;
    const nodes = this.#nodes || cpus;
    return {
      ...{ name, folder, pageShift: this.#pageShift, cpus, nodes, windows: this.#windows, rows, hasLocks },
      ...{ source: 'stream', lostEvents: 0, otherLines: 0, damagedLines: 0, damage, isCut },
    };
  }

  #head(line: string): void {
    const [key = '', first = '', vstart = '', vend = ''] = line.slice(1).split(' ');
    if (key === 'page') {
      const shift = this.#shift(first);
      if (this.#pageShift !== 0 && this.#pageShift !== shift) this.#fail('one page size');
      this.#pageShift = shift;
    } else if (key === 'w') this.#windows[this.#whole(first, 0, MOST_WINDOWS)] = this.#window(vstart, vend);
    else if (key === 'cpus') this.#cpus = this.#whole(first, 1, MOST_CPUS);
    else if (key === 'nodes') this.#nodes = this.#whole(first, 1, MOST_NODES);
    // There is a node for each possible processor, online or not.
    if (this.#nodes !== 0 && this.#nodes < this.#cpus)
      this.#fail(
        `at least as many nodes as processors online: ${this.#nodes} nodes, ${this.#cpus} processors`,
      );
  }

  #event(fields: readonly string[]): Event {
    const { 3: kind = '', 4: a = '', 5: b = '', 6: c = '', 7: d = '', 8: e = '' } = fields;
    const node = (field: string): number => this.#whole(field, 0, (this.#nodes || this.#cpus || 1) - 1);
    switch (kind) {
      case 'A':
        return {
          type: 'allocation',
          start: this.#flag(e) ? null : this.#page(a),
          size: this.#pages(b),
          align: this.#alignment(c),
          window: this.#windowNumber(d),
        };
      case 'F':
        return {
          type: 'free',
          start: this.#page(a),
          lazyPages: this.#whole(b),
          lazyMaxPages: c === '' ? null : this.#whole(c),
        };
      case 'G':
        return { type: 'purge entered', isFull: this.#flag(a) };
      case 'D':
        return { type: 'decay', node: node(a), isFull: this.#flag(b) };
      case 'N':
        return { type: 'node purged', node: node(a) };
      case 'P':
        return { type: 'purge done', areas: this.#whole(c), start: this.#page(a), end: this.#page(b) };
      case 'Q': {
        const parts = fields.slice(6);
        if (parts.length === 0 || parts.length % 2 !== 0) this.#fail('pairs of an offset and a size');
        return { type: 'percpu entered', align: this.#alignment(b), ...this.#parts(parts) };
      }
      case 'R':
        // Eight rows of one recording have a second base for their one range. No range starts there, so it is ignored.
        return { type: 'percpu done', start: a === '0' || a === '' ? null : this.#page(a) };
      case 'L':
        return { type: 'lock', lock: LOCKS[a] ?? this.#fail('g, p or z'), node: b === '' ? -1 : node(b) };
      case 'X':
        return { type: 'exhausted' };
      case 'M':
        return { type: 'snapshot', name: a };
      case 'W':
      case 'U':
      case 'S':
        return { type: 'note' };
      default:
        return this.#fail('an event: A, F, P, Q, R, G, D, N, W, U, X, S, L or M');
    }
  }

  /** Ranges of per-cpu chunks: offsets from the base, and sizes. */
  #parts(fields: readonly string[]): { offsets: number[]; sizes: number[] } {
    const offsets = fields.filter((_field, i) => i % 2 === 0).map((field) => this.#page(field));
    const sizes = fields.filter((_field, i) => i % 2 === 1).map((field) => this.#pages(field));
    const order = [...offsets.keys()].sort((i, j) => (offsets[i] as number) - (offsets[j] as number));
    let end = 0;
    for (const i of order) {
      const offset = offsets[i] as number;
      if (!Number.isInteger(offset)) this.#fail('an offset of whole pages');
      if (offset < end) this.#fail('ranges that do not overlap');
      end = offset + (sizes[i] as number);
    }
    return { offsets, sizes };
  }

  /** The number of a window that a line has defined. */
  #windowNumber(field: string): number {
    const most = this.#windows.length - 1;
    if (most < 0) this.#fail('a line #w 0 with the window of vmalloc first');
    const number = this.#whole(field, 0, most);
    return this.#windows[number] === undefined
      ? this.#fail(`a line #w ${number} with the window of this request first`)
      : number;
  }

  #flag(field: string): boolean {
    return field === '0' || field === '1' ? field === '1' : this.#fail('a flag: 0 or 1');
  }

  #page(field: string): number {
    if (!/^[0-9a-f]{1,16}$/.test(field)) this.#fail('a hexadecimal number');
    return pageOf(BigInt(`0x${field}`), this.#pageShift);
  }

  /** A size. */
  #pages(field: string): number {
    const pages = this.#page(field);
    return Number.isInteger(pages) && pages >= 1 ? pages : this.#fail('a size of whole pages');
  }

  /** An alignment in pages, at least one. */
  #alignment(field: string): number {
    const bytes = /^[0-9a-f]{1,16}$/.test(field) ? BigInt(`0x${field}`) : 0n;
    if (bytes === 0n || (bytes & (bytes - 1n)) !== 0n) this.#fail('an alignment: a power of two');
    return Math.max(1, Number(bytes >> BigInt(this.#pageShift)));
  }

  #window(start: string, end: string): { vstart: number; vend: number } {
    if (this.#pageShift === 0) this.#fail('a line #page with the page size first');
    const window = { vstart: this.#page(start), vend: this.#page(end) };
    return window.vstart < window.vend ? window : this.#fail('a window that ends after its start');
  }

  #whole(field: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
    const value = /^\d{1,16}$/.test(field) ? Number(field) : -1;
    if (value >= least && value <= most) return value;
    return this.#fail(
      most === Number.MAX_SAFE_INTEGER ? 'a whole number' : `a whole number from ${least} to ${most}`,
    );
  }

  #shift(field: string): number {
    const shift = Math.log2(Number(field));
    return Number.isInteger(shift) && shift >= 12 && shift <= 16
      ? shift
      : this.#fail('a page size of 4096 to 65536');
  }

  #fail(expected: string): never {
    const line = printable((this.#lines[this.#line - 1] ?? '').slice(0, 60));
    throw new UsageError(`${printable(this.#file)}:${this.#line}: expected ${expected}: ${line}`);
  }
}

/** True when the last line is a whole row although the file ends in it: its last field cannot be longer. */
function isWholeWithoutEnd(line: string): boolean {
  return WHOLE.some((pattern) => pattern.test(line));
}

/** Rows that end with a flag or a letter, or without fields. */
const WHOLE: readonly RegExp[] = [
  /^\d+\t\d+\t\d+\tA\t[0-9a-f]+\t[0-9a-f]+\t[0-9a-f]+\t\d+\t[01]$/,
  /^\d+\t\d+\t\d+\t(G|D\t\d+)\t[01]$/,
  /^\d+\t\d+\t\d+\t(L\tg|X|W|U|S)$/,
];

/** The maximum processors and windows of a stream: far more than real ones have. */
const MOST_CPUS = MOST_NODES;
const MOST_WINDOWS = 2 ** 16;

const LOCKS: Readonly<Record<string, 'heap' | 'pool' | 'lazy'>> = { g: 'heap', p: 'pool', z: 'lazy' };
