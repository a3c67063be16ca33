import { text } from '../source/reader.js';

/** Bytes of text that are read at most, and lines of it. */
const MOST = 2 ** 17;

/**
 * What the kernel says of itself: lines of KEY=VALUE. Where it was found is in `from`.
 *
 * Source: Linux kernel/vmcore_info.c, include/linux/vmcore_info.h.
 */
export class Vmcoreinfo {
  /** Where it was found, in words: `a note of the dump`, `memory at 0x4992000`. */
  readonly from: string;
  /** The whole text. */
  readonly text: string;
  readonly #values: ReadonlyMap<string, string>;

  constructor(bytes: Uint8Array, from: string) {
    const end = bytes.subarray(0, MOST).indexOf(0);
    this.from = from;
    this.text = text(bytes.subarray(0, end < 0 ? MOST : end));
    this.#values = new Map(
      this.text.split('\n').flatMap((line) => {
        const equals = line.indexOf('=');
        return equals < 1 ? [] : [[line.slice(0, equals), line.slice(equals + 1)] as const];
      }),
    );
  }

  /** True when it has a key. */
  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** The value of a key, such as `OSRELEASE`; `null` when it has none. */
  value(key: string): string | null {
    return this.#values.get(key) ?? null;
  }

  /** An address, `SYMBOL(name)`: hexadecimal without a prefix. `null` when it has none. */
  symbol(name: string): bigint | null {
    return parsed(this.#values.get(`SYMBOL(${name})`), /^[\da-f]{1,16}$/i, '0x');
  }

  /**
   * A number, `NUMBER(name)`: decimal, or hexadecimal where the code of an architecture writes it with 0x. It may be negative.
   * `null` when it has none.
   */
  number(name: string): bigint | null {
    return this.#integer(`NUMBER(${name})`);
  }

  /** Where a member is in its structure, in bytes: `OFFSET(uts_namespace.name)`. `null` when it has none. */
  offset(name: string): number | null {
    const value = this.#integer(`OFFSET(${name})`);
    return value === null || value < 0n || value > 2n ** 32n ? null : Number(value);
  }

  /** Bytes of a page; `null` when it does not say it. */
  get pageSize(): number | null {
    const value = this.#integer('PAGESIZE');
    return value === 4096n || value === 16384n || value === 65536n ? Number(value) : null;
  }

  #integer(key: string): bigint | null {
    const value = this.#values.get(key);
    if (value?.startsWith('0x')) return parsed(value.slice(2), /^[\da-f]{1,16}$/i, '0x');
    return value?.startsWith('-')
      ? negated(parsed(value.slice(1), /^\d{1,20}$/, ''))
      : parsed(value, /^\d{1,20}$/, '');
  }
}

function parsed(digits: string | undefined, pattern: RegExp, prefix: string): bigint | null {
  return digits !== undefined && pattern.test(digits) ? BigInt(prefix + digits) : null;
}

function negated(value: bigint | null): bigint | null {
  return value === null ? null : -value;
}
