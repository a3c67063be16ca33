import { type PageTableFormat, VmError } from '@vmarea/core';
import { shown } from '../source/broken.js';

/**
 * What makes a format from its options: `x8664`, `arm64`, `riscv64`. This package imports no format; the caller brings those
 * that it wants to read.
 */
export type MakeFormat = (options: never) => PageTableFormat;

/** Formats by the names that candidates use: `x86-64`, `x86-64-la57`, `arm64`, `riscv64`. */
export type Formats = { readonly [name: string]: MakeFormat };

/** Makes a format once for each name and options. */
export class FormatMaker {
  readonly #formats: Formats;
  readonly #made = new Map<string, PageTableFormat | string>();

  /** @throws VmError `EINVAL` when a member is no function. */
  constructor(formats: Formats) {
    for (const [name, make] of Object.entries(Object(formats))) {
      if (typeof make !== 'function')
        throw new VmError('EINVAL', `formats['${name}'] is ${shown(make)}: expected what makes a format`);
    }
    this.#formats = Object(formats);
  }

  /** The format; text when it cannot be made. */
  make(name: string, options: Readonly<Record<string, unknown>>): PageTableFormat | string {
    const key = `${name} ${JSON.stringify(options)}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = this.#new(name, options);
    this.#made.set(key, made);
    return made;
  }

  #new(name: string, options: Readonly<Record<string, unknown>>): PageTableFormat | string {
    const make = this.#formats[name] as ((options: object) => PageTableFormat) | undefined;
    if (make === undefined) return `\`formats\` has no member '${name}'`;
    try {
      return make(options);
    } catch (error) {
      if (error instanceof Error) return error.message;
      throw error;
    }
  }
}
