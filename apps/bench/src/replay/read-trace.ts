import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { printable } from '@vmarea/core';
import { UsageError } from '../errors.js';
import { whyUnreadable } from '../input/unreadable.js';
import { parseFtrace } from './ftrace.js';
import { type Event, MOST_NODES, pageOf, type Row, type Trace } from './trace.js';

/**
 * Reads a trace: a folder with `trace.tsv.gz`, such a file, or ftrace text, plain or gzip.
 *
 * @throws UsageError when it cannot be read or is not a trace.
 */
export function readTrace(path: string): Trace {
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  const file = isFolder ? join(path, 'trace.tsv.gz') : path;
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = gunzipSync(bytes);
  } catch (error) {
    throw new UsageError(`cannot read ${printable(file)}: ${printable(whyUnreadable(error, file))}`);
  }
  const name = basename(isFolder ? path : path.replace(/\.tsv(\.gz)?$/, ''));
  const text = bytes.toString('latin1');
  if (!isFolder && !/^#(page|cpus|nodes|w) /.test(text) && !/^\d+\t/.test(text))
    return parseFtrace(text, file, name);
  return new TraceParser(text, file).parse(name, isFolder ? path : null);
}

class TraceParser {
  readonly #lines: readonly string[];
  readonly #file: string;
  #pageShift = 0;
  #line = 0;

  constructor(text: string, file: string) {
    this.#lines = text.split('\n');
    this.#file = file;
  }

  parse(name: string, folder: string | null): Trace {
    const head = new Map<string, number>();
    const windows: { vstart: number; vend: number }[] = [];
    const rows: Row[] = [];
    let hasLocks = false;
    for (const line of this.#lines) {
      this.#line++;
      if (line === '') continue;
      if (line.startsWith('#')) {
        const [key = '', first = '', vstart = '', vend = ''] = line.slice(1).split(' ');
        if (key === 'page') this.#pageShift = this.#shift(first);
        else if (key === 'w') windows[this.#whole(first, 0, MOST_WINDOWS)] = this.#window(vstart, vend);
        else if (key === 'cpus' || key === 'nodes') head.set(key, this.#whole(first, 1, MOST_CPUS));
        continue;
      }
      if (this.#pageShift === 0) this.#fail('a line #page with the page size first');
      const fields = line.split('\t');
      const event = this.#event(fields, windows.length, head.get('nodes') ?? head.get('cpus') ?? 1);
      if (event.type === 'lock') hasLocks = true;
      const cpu = this.#whole(fields[1] ?? '', 0, MOST_CPUS - 1);
      rows.push({ cpu, thread: fields[2] as string, event, line: this.#line });
    }
    const cpus = head.get('cpus') ?? 1;
    const nodes = head.get('nodes') ?? cpus;
    if (windows[0] === undefined) this.#fail('a line #w 0 with the window of vmalloc');
    return {
      ...{ name, folder, pageShift: this.#pageShift, cpus, nodes, windows, rows, hasLocks },
      ...{ source: 'stream', lostEvents: 0, otherLines: 0, damagedLines: 0 },
    };
  }

  #event(fields: readonly string[], windows: number, nodes: number): Event {
    const [, , , kind = '', ...rest] = fields;
    const [a = '', b = '', c = '', d = '', e = ''] = rest;
    const node = (field: string): number => this.#whole(field, 0, nodes - 1);
    switch (kind) {
      case 'A':
        return {
          ...{ type: 'allocation', start: e === '1' ? null : this.#page(a), size: this.#pages(b) },
          ...{ align: this.#alignment(c), window: this.#whole(d, 0, windows - 1) },
        };
      case 'F':
        return {
          ...{ type: 'free', start: this.#page(a), lazyPages: this.#whole(b) },
          lazyMaxPages: c === '' ? null : this.#whole(c),
        };
      case 'G':
        return { type: 'purge entered', isFull: a === '1' };
      case 'D':
        return { type: 'decay', node: node(a), isFull: b === '1' };
      case 'N':
        return { type: 'node purged', node: node(a) };
      case 'P':
        return { type: 'purge done', areas: this.#whole(c), start: this.#page(a), end: this.#page(b) };
      case 'Q': {
        const parts = rest.slice(2);
        if (parts.length === 0 || parts.length % 2 !== 0) this.#fail('pairs of an offset and a size');
        return {
          ...{ type: 'percpu entered', align: this.#alignment(b) },
          offsets: parts.filter((_field, i) => i % 2 === 0).map((field) => this.#page(field)),
          sizes: parts.filter((_field, i) => i % 2 === 1).map((field) => this.#pages(field)),
        };
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

/** The maximum processors and windows of a stream: far more than real ones have. */
const MOST_CPUS = MOST_NODES;
const MOST_WINDOWS = 2 ** 16;

const LOCKS: Readonly<Record<string, 'heap' | 'pool' | 'lazy'>> = { g: 'heap', p: 'pool', z: 'lazy' };
