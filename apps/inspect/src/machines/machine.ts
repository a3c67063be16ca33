import type { PageTableFormat, Translation } from '@vmarea/core';
import type { MakeFormat, Vmcoreinfo } from '@vmarea/image';
import type { Region } from './region.js';

/** What is known of a format when some registers are not: its name and its options. */
export interface KnownFormat {
  /** A name that `findRoots` uses, or that of a configuration: `x86-64-la57`, `arm64-16k-47`. */
  readonly name: string;
  /** Options of the format, as `RootCandidate.options` has them. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Registers by name in lower case. */
export type Registers = ReadonlyMap<string, bigint>;

/** All that this package knows of one architecture. Nothing outside of these tables asks which one it is. */
export interface Machine {
  /** ELF's number of the machine. */
  readonly number: number;
  /** Its name, as the packages have it. */
  readonly name: string;
  /** What makes its formats, by the names that `findRoots` uses. */
  readonly formats: { readonly [name: string]: MakeFormat };
  /** The registers that are a root. One of them tells the machine. */
  readonly roots: readonly string[];
  /** The other registers that it understands. */
  readonly others: readonly string[];
  /**
   * The tables that registers name.
   *
   * @param registers - one of `roots`, and any of `others`.
   * @param known - the format, where the registers do not say it; `null` when nobody knows it.
   * @throws VmError `EINVAL` when the registers name none; text when something must be known besides.
   */
  tables(registers: Registers, known: KnownFormat | null): Translation | string;
  /** Registers by which `findRoots` finds a root again; text when a container cannot say them. */
  registers(
    format: PageTableFormat,
    known: KnownFormat,
    root: bigint,
  ): Readonly<Record<string, bigint>> | string;
  /**
   * The named ranges of the kernel's addresses. Earlier ones count first.
   *
   * @param info - what the kernel says of itself; `null` when nobody knows it.
   */
  regions(format: PageTableFormat, info: Vmcoreinfo | null): KernelLayout;
}

/** Named ranges of addresses. */
export interface KernelLayout {
  /** In this order: the first that holds an address names it. */
  readonly regions: readonly Region[];
  /** What had to be assumed, in words for people; `null` when the kernel said all. */
  readonly assumed: string | null;
}
