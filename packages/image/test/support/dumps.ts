import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { arm64 } from '@vmarea/arm64';
import { type PageTableFormat, PageTableReader, type PhysicalMemory } from '@vmarea/core';
import { riscv64 } from '@vmarea/riscv64';
import { type LeafRow, readLeaves } from '@vmarea/testkit';
import { x8664 } from '@vmarea/x86-64';
import { x8664La57 } from '@vmarea/x86-64-la57';

/** The first address that is the kernel's. */
const USER = 1n << 63n;

/** All formats, by the names that candidates use. */
export const formats = { 'x86-64': x8664, 'x86-64-la57': x8664La57, arm64, riscv64 };

export type SetName = 'x86-4level' | 'arm64-4k' | 'riscv64-sv39';

/** What is known of a set beside its dumps. */
interface Known {
  readonly roots: Readonly<Record<string, string>>;
  readonly release: string;
  readonly vmcoreinfo: readonly [text: string, note: string];
}

const known: Readonly<Record<SetName, Known>> = JSON.parse(textOf('machines.json'));

/** The format of a root of a set, by hand. */
const formatOf: Readonly<Record<SetName, (root: string) => PageTableFormat>> = {
  'x86-4level': () => x8664() as PageTableFormat,
  'arm64-4k': (root) =>
    arm64({ granule: 4, vaBits: 48, half: root === 'kernel' ? 'ttbr1' : 'ttbr0' }) as PageTableFormat,
  'riscv64-sv39': () => riscv64({ mode: 'sv39', svnapot: true }) as PageTableFormat,
};

/** The sets, with the codecs of their dumps and the roots whose leaves are known. */
export const SETS: readonly {
  readonly name: SetName;
  readonly codecs: readonly string[];
  readonly roots: readonly string[];
}[] = [
  { name: 'x86-4level', codecs: ['zlib', 'snappy'], roots: ['kernel', 'target', 'target-user'] },
  { name: 'arm64-4k', codecs: ['zlib', 'lzo'], roots: ['kernel', 'target', 'init', 'second'] },
  { name: 'riscv64-sv39', codecs: ['zstd'], roots: ['kernel', 'target', 'init', 'second'] },
];

/** A file of `test/data`, unpacked. */
function dataOf(file: string): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(new URL(`../data/${file}`, import.meta.url))));
}

function textOf(file: string): string {
  return readFileSync(new URL(`../data/${file}`, import.meta.url), 'utf8');
}

/** A dump, unpacked. */
export function dumpOf(set: SetName, codec: string): Uint8Array {
  return dataOf(`${set}.${codec}.kdump.gz`);
}

/** Physical address of a root of a set. */
export function rootOf(set: SetName, root: string): bigint {
  return BigInt(known[set].roots[root] as string);
}

/** All roots of processes, ascending; not those of user mode. */
export function processRootsOf(set: SetName): bigint[] {
  return Object.entries(known[set].roots)
    .filter(([name]) => name !== 'kernel' && !name.endsWith('-user'))
    .map(([, root]) => BigInt(root))
    .sort((a, b) => (a < b ? -1 : 1));
}

export function releaseOf(set: SetName): string {
  return known[set].release;
}

/** Where VMCOREINFO is in memory: the text, and the note. */
export function vmcoreinfoAt(set: SetName): readonly [bigint, bigint] {
  const [text, note] = known[set].vmcoreinfo;
  return [BigInt(text), BigInt(note)];
}

/** What another program found below a root. */
export function truthOf(set: SetName, root: string): LeafRow[] {
  return readLeaves(new TextDecoder().decode(dataOf(`${set}.leaves.${root}.tsv.gz`)));
}

/** The leaves of a process's half alone: those of x86-64's kernel half are most of all. */
export function userTruthOf(set: SetName, root: string): LeafRow[] {
  return truthOf(set, root).filter(({ va }) => va < USER);
}

/** The leaves below a root of a set, in the form of `truthOf`. */
export function leavesOf(set: SetName, root: string, memory: PhysicalMemory): LeafRow[] {
  return rowsOf(tableOf(set, root, memory));
}

/** In the form of `userTruthOf`. */
export function userLeavesOf(set: SetName, root: string, memory: PhysicalMemory): LeafRow[] {
  const table = tableOf(set, root, memory);
  const { bits, upper } = table.format.range;
  return rowsOf(table, { va: 0n, bytes: upper === 'sign' ? 1n << BigInt(bits - 1) : 1n << BigInt(bits) });
}

function tableOf(set: SetName, root: string, memory: PhysicalMemory): PageTableReader {
  return new PageTableReader({ format: formatOf[set](root), memory, root: rootOf(set, root) });
}

/** The leaves of a table in that form. */
export function rowsOf(table: PageTableReader, range?: { va: bigint; bytes: bigint }): LeafRow[] {
  return Array.from(
    table.leaves(range?.va, range?.bytes, { complete: true }),
    ({ va, count, leafShift, pa, flags }) => ({
      ...{ va, count, size: 1n << BigInt(leafShift), pa, flags },
    }),
  );
}

/** Rows that differ, the first few as text; none when both lists are the same. Tens of thousands are compared at once. */
export function differences(found: readonly LeafRow[], expected: readonly LeafRow[]): string[] {
  const text = (row: LeafRow | undefined): string =>
    row === undefined
      ? 'nothing'
      : [row.va, row.count, row.size, row.pa, row.flags].map((n) => n.toString(16)).join(' ');
  const differing: string[] = [];
  for (let i = 0; i < Math.max(found.length, expected.length) && differing.length < 5; i++) {
    if (text(found[i]) !== text(expected[i]))
      differing.push(`${i}: ${text(found[i])}, not ${text(expected[i])}`);
  }
  return differing;
}
