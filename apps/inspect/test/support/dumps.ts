import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type LeafRow, readLeaves } from '@vmarea/testkit';
import { afterAll } from 'vitest';

/** Dumps of running kernels, cut down to their page tables: those of the package that opens them. */
const DATA = new URL('../../../../packages/image/test/data/', import.meta.url);

/** A set: its dump, and the roots whose leaves another program has found. */
export interface DumpSet {
  readonly name: string;
  readonly file: string;
  /** How the command line names each root. */
  readonly roots: Readonly<Record<string, readonly string[]>>;
}

export const X86: DumpSet = {
  name: 'x86-4level',
  file: 'x86-4level.zlib.kdump',
  roots: {
    kernel: [],
    target: ['--root', 'process'],
    'target-user': ['--root', 'user'],
  },
};
export const ARM64: DumpSet = {
  name: 'arm64-4k',
  file: 'arm64-4k.lzo.kdump',
  roots: { kernel: ['--root', '1'], target: ['--ttbr0', '0x44457000'], init: ['--ttbr0', '0x5000044492001'] },
};
export const RISCV64: DumpSet = {
  name: 'riscv64-sv39',
  file: 'riscv64-sv39.zstd.kdump',
  roots: {
    kernel: ['--root', 'kernel'],
    target: ['--satp', '0x80000000000830da'],
    second: ['--root', '0x83110000'],
  },
};
export const SETS: readonly DumpSet[] = [X86, ARM64, RISCV64];

let folder: string | undefined;

/** A folder for the files of a test file. It goes with it. */
export function temporary(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'vmarea-inspect-'));
    folder = made;
    afterAll(() => {
      rmSync(made, { recursive: true });
      folder = undefined;
    });
  }
  return folder;
}

/** The path of a dump, unpacked. No test changes it. */
export function dumpOf({ file }: DumpSet): string {
  const path = join(temporary(), file);
  if (!existsSync(path)) writeFileSync(path, gunzipSync(readFileSync(new URL(`${file}.gz`, DATA))));
  return path;
}

/** What another program has found below a root. */
export function truthOf({ name }: DumpSet, root: string): LeafRow[] {
  const file = new URL(`${name}.leaves.${root}.tsv.gz`, DATA);
  return readLeaves(gunzipSync(readFileSync(file)).toString());
}

/** Rows of `leaves --json` in the form of the truth: neighbours of the same flags are one row. */
export function asTruth(rows: readonly Record<string, unknown>[]): string[] {
  return merged(
    rows.map((row) => ({
      va: BigInt(row.va as string),
      count: row.count as number,
      size: BigInt(row.leafBytes as string),
      pa: BigInt(row.pa as string),
      flags: BigInt(row.flags as string),
    })),
  );
}

/** Rows as text. Rows that continue each other are one. */
export function merged(rows: readonly LeafRow[]): string[] {
  const all: { va: bigint; count: number; size: bigint; pa: bigint; flags: bigint }[] = [];
  for (const row of rows) {
    const last = all.at(-1);
    const bytes = last === undefined ? 0n : BigInt(last.count) * last.size;
    if (
      last?.size === row.size &&
      last.flags === row.flags &&
      last.va + bytes === row.va &&
      last.pa + bytes === row.pa
    )
      last.count += row.count;
    else all.push({ ...row });
  }
  return all.map(({ va, count, size, pa, flags }) =>
    [va, count, size, pa, flags].map((n) => n.toString(16)).join(' '),
  );
}

/** The first texts that differ; none when both lists are the same. Tens of thousands are compared at once. */
export function differences(found: readonly string[], expected: readonly string[]): string[] {
  const differing: string[] = [];
  for (let i = 0; i < Math.max(found.length, expected.length) && differing.length < 5; i++)
    if (found[i] !== expected[i]) differing.push(`${i}: ${found[i]}, not ${expected[i]}`);
  return differing;
}

/** Writes a container PTIMAGE1 again, without the frames at some physical addresses. */
export function withoutFrames(file: string, output: string, left: readonly bigint[]): void {
  const bytes = readFileSync(file);
  const start = 12 + bytes.readUInt32LE(8);
  const header = JSON.parse(bytes.subarray(12, start).toString());
  const all = Array.from({ length: header.frames as number }, (_, i) => i);
  const addressOf = (i: number): Buffer => bytes.subarray(start + 8 * i, start + 8 * i + 8);
  const kept = all.filter((i) => !left.includes(addressOf(i).readBigUInt64LE()));
  const json = Buffer.from(JSON.stringify({ ...header, frames: kept.length }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const size = 2 ** header.pageShift;
  const frameOf = (i: number): Buffer => {
    const at = start + 8 * all.length + size * i;
    return bytes.subarray(at, at + size);
  };
  const head = [bytes.subarray(0, 8), length, json];
  writeFileSync(output, Buffer.concat([...head, ...kept.map(addressOf), ...kept.map(frameOf)]));
}
