import {
  dumpTables,
  FrameAllocator,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  protection,
  wasmLoops,
} from '@vmarea/core';
import { hex, type LeafRow, loadGuest } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { x8664, x8664FromRegisters } from '../src/index.js';

const guest = loadGuest('linux-6.12-x86-64');
const { cr0, cr3, cr4, efer } = guest.machine.registers as Record<'cr0' | 'cr3' | 'cr4' | 'efer', bigint>;
const { format } = x8664FromRegisters({ cr0, cr3, cr4, efer });

function openRoot(root: 'swapper' | 'process') {
  return new PageTableReader({ format, memory: guest.memory, root: guest.root(root) });
}

const LEAVES =
  /^ *0x([\da-f]{16})-0x([\da-f]{16}) +([\d.]+[KMGT]) {2}(PGD|PUD|PMD|PTE) +(\d+) x (4K|2M|1G) +([r-][w-][x-]) ([ku]) ([g-][a-][d-]) {2}([a-z-]+) +0x([\da-f]{16})(?: {2}extra 0x([\da-f]+))?$/;
const SIZES: Record<string, bigint> = { K: 1n << 10n, M: 1n << 20n, G: 1n << 30n, T: 1n << 40n };
const LEAF_SIZES: Record<string, [string, bigint]> = {
  '4K': ['PTE', 0x1000n],
  '2M': ['PMD', 0x200000n],
  '1G': ['PUD', 0x40000000n],
};
/** By PAT, PCD and PWT under Linux's IA32_PAT. */
const MEMORY = [
  'normal',
  'write-combining',
  'device',
  'uncached',
  'normal',
  'write-protected',
  'device',
  'write-through',
];

interface Line {
  va: bigint;
  count: number;
  size: bigint;
  pa: bigint;
  letters: string;
  text: string;
}

/** Reads a line back. Values that it has twice must agree. */
function parse(text: string): Line {
  const found = LEAVES.exec(text);
  if (found === null) throw new Error(`no line of leaves: ${text}`);
  const [, first, last, bytes, level, count, leaf, rights, side, state, memory, pa] = found as string[] &
    RegExpExecArray;
  const [name, size] = LEAF_SIZES[leaf as string] as [string, bigint];
  const va = BigInt(`0x${first}`);
  const length = BigInt(`0x${last}`) - va + 1n;
  const unit = SIZES[(bytes as string).at(-1) as string] as bigint;
  const said = (BigInt(Math.round(Number.parseFloat(bytes as string) * 2)) * unit) / 2n;
  if (length !== size * BigInt(count as string) || said !== length || level !== name) {
    throw new Error(`it does not agree with itself: ${text}`);
  }
  return {
    va,
    count: Number(count),
    size,
    pa: BigInt(`0x${pa}`),
    letters: `${rights} ${side} ${state} ${memory}`,
    text,
  };
}

const AGAIN = /^ *0x([\da-f]{16})-0x([\da-f]{16}) .* {2}listed at 0x([\da-f]{16})$/;

/** The number of the first line that ends behind an address. Lines are in the order of addresses. */
function firstBehind(lines: readonly Line[], va: bigint): number {
  let [from, to] = [0, lines.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const line = lines[middle] as Line;
    if (line.va + line.size * BigInt(line.count) > va) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** The leaves of all lines. A line that names where its table is listed stands for the leaves there. */
function leavesOf(dump: string): Line[] {
  const all: Line[] = [];
  for (const text of dump.trimEnd().split('\n').slice(1)) {
    const [, first, last, at] = AGAIN.exec(text) ?? [];
    if (at === undefined) {
      all.push(parse(text));
      continue;
    }
    const start = BigInt(`0x${at}`);
    const bytes = BigInt(`0x${last}`) - BigInt(`0x${first}`) + 1n;
    const moved: Line[] = [];
    for (let i = firstBehind(all, start); (all[i]?.va ?? start + bytes) < start + bytes; i++) {
      const line = all[i] as Line;
      // A run may begin before the table, or go on after it.
      const from = line.va > start ? line.va : start;
      const end = line.va + line.size * BigInt(line.count);
      const to = end < start + bytes ? end : start + bytes;
      const count = Number((to - from) / line.size);
      const va = BigInt(`0x${first}`) + from - start;
      moved.push({ ...line, va, count, pa: line.pa + from - line.va, text });
    }
    expect(moved.length, text).toBeGreaterThan(0);
    all.push(...moved);
  }
  return all;
}

/** The letters of a leaf, from the entries in memory by the rules of the manual. */
function lettersOf(root: bigint, va: bigint): string {
  let table = root;
  let all = -1n;
  let any = 0n;
  for (let shift = 39n; ; shift -= 9n) {
    const entry = guest.memory.read64(table + 8n * ((va >> shift) & 511n));
    all &= entry;
    any |= entry;
    const isLarge = shift === 30n || shift === 21n ? (entry & 0x80n) !== 0n : shift === 12n;
    if (isLarge) {
      const pat = (entry >> (shift === 12n ? 7n : 12n)) & 1n;
      const memory = MEMORY[Number((pat << 2n) | ((entry >> 3n) & 3n))];
      const bit = (value: bigint, at: bigint, letter: string) => (((value >> at) & 1n) === 1n ? letter : '-');
      const rights = `r${bit(all, 1n, 'w')}${bit(~any, 63n, 'x')} ${((all >> 2n) & 1n) === 1n ? 'u' : 'k'}`;
      return `${rights} ${bit(entry, 8n, 'g')}${bit(entry, 5n, 'a')}${bit(entry, 6n, 'd')} ${memory}`;
    }
    table = entry & 0x000ffffffffff000n;
  }
}

/** The leaves of the lines are those of the rows, in order, and none is missing. */
function account(rows: readonly LeafRow[], lines: readonly Line[]): void {
  let row = 0;
  let done = 0;
  for (const { va, count, size, pa, text } of lines) {
    const leaves = rows[row];
    if (leaves === undefined) throw new Error(`no leaf is left for ${text}`);
    const offset = BigInt(done) * leaves.size;
    if (va !== leaves.va + offset || pa !== leaves.pa + offset || size !== leaves.size) {
      throw new Error(`${text} is not at ${hex(leaves.va + offset)}, frame ${hex(leaves.pa + offset)}`);
    }
    done += count;
    if (done > leaves.count) throw new Error(`${text} has more leaves than the ${leaves.count}`);
    if (done === leaves.count) {
      row++;
      done = 0;
    }
  }
  expect(row).toBe(rows.length);
}

describe.each(['swapper', 'process'] as const)('a dump of the %s root of a running Linux', (root) => {
  const table = openRoot(root);
  const rows = guest.leaves(root);
  const dump = dumpTables(table);
  let known: Line[] | undefined;
  const listed = (): Line[] => (known ??= leavesOf(dump));

  test('lists the leaves that another walker found', () => {
    expect(dump).not.toMatch(/ $/m);
    expect(dump.endsWith('\n') && !dump.endsWith('\n\n')).toBe(true);
    const [title, ...lines] = dump.trimEnd().split('\n');
    expect(title).toBe(`x86-64, root ${hex(guest.root(root))}`);
    expect(lines.some((line) => AGAIN.test(line))).toBe(true);
    account(rows, listed());
  });

  test('has the letters that follow from the entries on the path', () => {
    for (const { va, count, size, letters, text } of listed()) {
      for (const at of [va, va + size * BigInt(count - 1)]) {
        const wanted = lettersOf(guest.root(root), at);
        if (letters !== wanted) expect(`${text}: ${letters}`).toBe(`${text}: ${wanted}`);
      }
    }
  });

  test('lists the same leaves as a tree, and a table with several parents once', () => {
    const tree = dumpTables(table, { tables: true });
    expect(tree).not.toMatch(/ $/m);
    const seen = new Set<string>();
    const leaves: Line[] = [];
    for (const line of tree.trimEnd().split('\n').slice(1)) {
      if (/ (absent|reserved) 0x[\da-f]{16}$/.test(line)) continue;
      if (!line.includes('table')) {
        leaves.push(parse(line));
        continue;
      }
      const [, level, pa, again] =
        /(P.D|PTE) {2}table (0x[\da-f]{16}).* +\d+ of 512 in use(, listed at 0x[\da-f]{16})?$/.exec(line) ??
        [];
      if (again === undefined) expect(seen, line).not.toContain(`${level} ${pa}`);
      else expect(seen, line).toContain(`${level} ${pa}`);
      seen.add(`${level} ${pa}`);
    }
    // Runs end at the end of a table here, so that their first leaves are compared.
    const wanted = new Map(listed().map((line) => [line.va, line]));
    let found = 0;
    for (const line of leaves) {
      const other = wanted.get(line.va);
      if (other === undefined) continue;
      expect(`${line.pa} ${line.letters}`, line.text).toBe(`${other.pa} ${other.letters}`);
      found++;
    }
    expect(found).toBeGreaterThan(1000);
  });
});

test('the kernel root of a process shows user text as not executable, the user root as executable', () => {
  const text = { va: 0x401000n, bytes: 0x1000 };
  const inUserHalf = new PageTableReader({
    format,
    memory: guest.memory,
    root: guest.machine.registers.cr3 as bigint,
  });
  expect(dumpTables(openRoot('process'), text).split('\n')[1]).toContain('r-- u -a-');
  expect(dumpTables(inUserHalf, text).split('\n')[1]).toContain('r-x u -a-');
});

test('controls change the letters of a dump', () => {
  const readOnly = { va: 0xffffffffbac00000n, bytes: 0x1000 };
  const table = openRoot('swapper');
  expect(dumpTables(table, readOnly).split('\n')[1]).toContain('r-- k');
  expect(dumpTables(table, { ...readOnly, controls: { wp: false } }).split('\n')[1]).toContain('rw- k');
});

test('an unknown control is refused, with the nearest known one, or with all', () => {
  const members = Object.keys(format.controls).join(', ');
  expect(members).toMatch(/^wp, |, wp\b/);
  expect(() => dumpTables(openRoot('swapper'), { controls: { wpp: false } as never })).toThrow(
    'EINVAL: x86-64 has no control `wpp`; did you mean `wp`?',
  );
  expect(() => dumpTables(openRoot('swapper'), { controls: { writeProtect: false } as never })).toThrow(
    `EINVAL: x86-64 has no control \`writeProtect\`; it has ${members}`,
  );
});

test('a dump of a process has these first 40 lines', () => {
  const first = dumpTables(openRoot('process')).split('\n').slice(0, 40).join('\n');
  expect(first).toMatchInlineSnapshot(`
    "x86-64, root 0x0000000144218000
    0x0000000000400000-0x0000000000400fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142ac4000
    0x0000000000401000-0x0000000000496fff        600K  PTE       150 x 4K    r-- u -a-  normal           0x0000000142ac5000
    0x0000000000497000-0x00000000004c1fff        172K  PTE        43 x 4K    r-- u -a-  normal           0x0000000142b5b000
    0x00000000004c2000-0x00000000004c2fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142d9a000  extra 0x400000000000800
    0x00000000004c3000-0x00000000004c3fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142da0000  extra 0x400000000000800
    0x00000000004c4000-0x00000000004c4fff          4K  PTE         1 x 4K    rw- u -ad  normal           0x0000000142e77000  extra 0x800
    0x00000000004c5000-0x00000000004c5fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142d93000  extra 0x400000000000800
    0x00000000004c6000-0x00000000004c6fff          4K  PTE         1 x 4K    rw- u -ad  normal           0x0000000142e76000  extra 0x800
    0x00000000004d6000-0x00000000004d6fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142d89000  extra 0x400000000000800
    0x00000000004d7000-0x00000000004d7fff          4K  PTE         1 x 4K    rw- u -ad  normal           0x0000000142e79000  extra 0x800
    0x00000000004db000-0x00000000004dbfff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142d92000  extra 0x400000000000800
    0x00000000004dc000-0x00000000004dcfff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142db1000  extra 0x400000000000800
    0x0000000012b33000-0x0000000012b33fff          4K  PTE         1 x 4K    rw- u -ad  normal           0x0000000142db0000  extra 0x800
    0x0000000012b34000-0x0000000012b34fff          4K  PTE         1 x 4K    rw- u -ad  normal           0x0000000142e78000  extra 0x800
    0x0000000012b35000-0x0000000012b35fff          4K  PTE         1 x 4K    rw- u -ad  normal           0x0000000142e74000  extra 0x800
    0x0000000100000000-0x000000010000ffff         64K  PTE        16 x 4K    r-- u -a-  normal           0x0000000142db6000  extra 0x400000000000800
    0x0000000100100000-0x0000000100107fff         32K  PTE         8 x 4K    r-- u -a-  normal           0x0000000142dc6000  extra 0x400000000000800
    0x0000000100300000-0x0000000100303fff         16K  PTE         4 x 4K    r-- u -a-  normal           0x0000000142dd6000  extra 0x400000000000800
    0x0000000100400000-0x0000000100403fff         16K  PTE         4 x 4K    r-- u -a-  normal           0x0000000142dda000  extra 0x400000000000800
    0x0000000100500000-0x0000000100500fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000148738000  extra 0x200
    0x0000000100503000-0x0000000100503fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000148738000  extra 0x200
    0x0000000100506000-0x0000000100506fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000148738000  extra 0x200
    0x0000000100509000-0x0000000100509fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000148738000  extra 0x200
    0x000000010050c000-0x000000010050cfff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000148738000  extra 0x200
    0x000000010050f000-0x000000010050ffff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000148738000  extra 0x200
    0x0000000101000000-0x0000000101000fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142dde000  extra 0x400000000000800
    0x0000000101025000-0x0000000101025fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142ddf000  extra 0x400000000000800
    0x000000010104a000-0x000000010104afff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142de0000  extra 0x400000000000800
    0x000000010106f000-0x000000010106ffff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142de1000  extra 0x400000000000800
    0x0000000101094000-0x0000000101094fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142de2000  extra 0x400000000000800
    0x00000001010b9000-0x00000001010b9fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142de3000  extra 0x400000000000800
    0x00000001010de000-0x00000001010defff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142de4000  extra 0x400000000000800
    0x0000000101103000-0x0000000101103fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142de5000  extra 0x400000000000800
    0x0000000101128000-0x0000000101128fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142de6000  extra 0x400000000000800
    0x000000010114d000-0x000000010114dfff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142de7000  extra 0x400000000000800
    0x0000000101172000-0x0000000101172fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142de8000  extra 0x400000000000800
    0x0000000101197000-0x0000000101197fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142de9000  extra 0x400000000000800
    0x00000001011bc000-0x00000001011bcfff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142dea000  extra 0x400000000000800
    0x00000001011e1000-0x00000001011e1fff          4K  PTE         1 x 4K    r-- u -a-  normal           0x0000000142deb000  extra 0x400000000000800"
  `);
});

test('a dump shows u for a page with a closed protection key, and k for a page below a kernel table', () => {
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 16 });
  const table = new PageTable({ format: x8664(), memory, frames: new FrameAllocator(memory) });
  const data = protection({ write: true, user: true });
  table.map(0n, [7], { ...data, extra: 1n << 59n });
  table.map(0x200000n, [8], data);
  expect(dumpTables(table).match(/r.. [ku]|--- [ku]/g)).toEqual(['--- u', 'rw- u']);
  const pmd = table.walk(0x200000n).steps[2];
  if (pmd === undefined) throw new Error('no PMD');
  memory.write64(pmd.address, pmd.entry & ~4n);
  expect(dumpTables(table).match(/r.. [ku]|--- [ku]/g)).toEqual(['--- u', 'rw- k']);
});
