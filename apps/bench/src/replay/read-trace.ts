import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { printable } from '@vmarea/core';
import { UsageError } from '../errors.js';
import { parseFtrace } from './ftrace.js';
import { type Event, pageOf, type Row, type Trace } from './trace.js';

/**
 * Reads a trace: a folder with `trace.tsv.gz`, the file, or a text of ftrace, plain or gzip.
 *
 * @throws UsageError when it cannot be read or is no trace.
 */
export function readTrace(path: string): Trace {
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  const file = isFolder ? join(path, 'trace.tsv.gz') : path;
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = gunzipSync(bytes);
  } catch (error) {
    throw new UsageError(
      `${printable(file)} cannot be read: ${error instanceof Error ? error.message : error}`,
    );
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
        if (key !== 'w') head.set(key, Number(first));
        else windows[Number(first)] = { vstart: this.#page(vstart), vend: this.#page(vend) };
        if (key === 'page') this.#pageShift = this.#shift(first);
        continue;
      }
      if (this.#pageShift === 0) this.#fail('a line #page with the page size first');
      const fields = line.split('\t');
      const event = this.#event(fields);
      if (event.type === 'lock') hasLocks = true;
      rows.push({ cpu: Number(fields[1]), thread: fields[2] as string, event, line: this.#line });
    }
    const cpus = head.get('cpus') ?? 1;
    const nodes = head.get('nodes') ?? cpus;
    if (windows[0] === undefined) this.#fail('a line #w 0 with the window of vmalloc');
    return {
      ...{ name, folder, pageShift: this.#pageShift, cpus, nodes, windows, rows, hasLocks },
      ...{ source: 'stream', lostEvents: 0, otherLines: 0 },
    };
  }

  #event(fields: readonly string[]): Event {
    const [, , , kind = '', ...rest] = fields;
    const [a = '', b = '', c = '', d = '', e = ''] = rest;
    switch (kind) {
      case 'A':
        return {
          ...{ type: 'allocation', start: e === '1' ? null : this.#page(a), size: this.#page(b) },
          align: Math.max(1, Number.parseInt(c, 16) / 2 ** this.#pageShift),
          window: Number(d),
        };
      case 'F':
        return { type: 'free', start: this.#page(a), lazyPages: Number(b) };
      case 'G':
        return { type: 'purge entered', isFull: a === '1' };
      case 'D':
        return { type: 'decay', node: Number(a), isFull: b === '1' };
      case 'N':
        return { type: 'node purged', node: Number(a) };
      case 'P':
        return { type: 'purge done', areas: Number(c) };
      case 'Q': {
        const pairs = rest.slice(2).map((field) => this.#page(field));
        return {
          ...{ type: 'percpu entered', align: this.#page(b) },
          offsets: pairs.filter((_page, i) => i % 2 === 0),
          sizes: pairs.filter((_page, i) => i % 2 === 1),
        };
      }
      case 'R':
        return { type: 'percpu done', start: a === '0' || a === '' ? null : this.#page(a) };
      case 'L':
        return { type: 'lock', lock: LOCKS[a] ?? this.#fail('g, p or z'), node: b === '' ? -1 : Number(b) };
      case 'X':
        return { type: 'exhausted' };
      case 'M':
        return { type: 'photograph', name: a };
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
    return pageOf(field, this.#pageShift);
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

const LOCKS: Readonly<Record<string, 'heap' | 'pool' | 'lazy'>> = { g: 'heap', p: 'pool', z: 'lazy' };
