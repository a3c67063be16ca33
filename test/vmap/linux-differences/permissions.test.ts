import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { kernelOf, RAM_FIRST } from '../support/kernel.js';

const PAGE = 4096;
const BYTES = 4096n;
const CALLS = ['setMemoryRo', 'setMemoryRw', 'setMemoryX', 'setMemoryNx'] as const;
/** A direct map below or above the window, by configuration. */
const DIRECT: Readonly<Record<string, bigint>> = {
  'x86-64': 0xffff_8880_0000_0000n,
  'arm64-4k-48': 0xffff_0000_0000_0000n,
  'riscv64-sv48': 0xffff_af80_0000_0000n,
};

/** A kernel with a direct map, and memory of 4 pages. */
function withDirectMap(name: string) {
  const base = DIRECT[name] as bigint;
  const made = kernelOf(name, { directMap: { base } });
  const address = made.kernel.vmalloc(4 * PAGE);
  const alias = base + (BigInt(RAM_FIRST) << 12n);
  const writes = (from: bigint) =>
    [0n, 1n, 2n, 3n].map((page) => made.kernel.table.walk(from + page * BYTES).leaf?.protection.write);
  return { ...made, address, alias, writes };
}

describe.each(Object.keys(DIRECT))('permissions on %s', (name) => {
  test('D22: an address inside a page is EINVAL', () => {
    const { kernel, address } = withDirectMap(name);
    const before = [...kernel.table.leaves()];
    for (const call of CALLS)
      expect([
        codeOf(() => kernel[call](address + 8n, 1)),
        codeOf(() => kernel[call](address - 1n, 1)),
      ]).toEqual(['EINVAL', 'EINVAL']);
    expect([...kernel.table.leaves()]).toEqual(before);
  });

  test('D23: a kernel address outside of areas is EINVAL, whether it is mapped or not', () => {
    const { kernel, alias, at } = withDirectMap(name);
    const before = [...kernel.table.leaves()];
    for (const call of CALLS)
      expect([codeOf(() => kernel[call](alias, 1)), codeOf(() => kernel[call](at(1000), 1))]).toEqual([
        'EINVAL',
        'EINVAL',
      ]);
    expect([...kernel.table.leaves()]).toEqual(before);
  });

  test('D24: a page that is not mapped is EFAULT, and the pages before it stay as they were', () => {
    const { kernel, address } = withDirectMap(name);
    kernel.vunmapRange(address + 2n * BYTES, address + 3n * BYTES);
    const before = [...kernel.table.leaves()];
    for (const call of CALLS) expect(codeOf(() => kernel[call](address, 4))).toBe('EFAULT');
    expect([...kernel.table.leaves()]).toEqual(before);
    expect(kernel.table.walk(address + 2n * BYTES).steps.at(-1)?.entry).toBe(0n);
  });

  test('D25: a range that reaches into the guard is ERANGE', () => {
    const { kernel, address } = withDirectMap(name);
    const before = [...kernel.table.leaves()];
    for (const call of CALLS)
      expect([
        codeOf(() => kernel[call](address, 5)),
        codeOf(() => kernel[call](address + 4n * BYTES, 1)),
      ]).toEqual(['ERANGE', 'ERANGE']);
    expect([...kernel.table.leaves()]).toEqual(before);
  });

  test('D26: setVmFlushResetPerms outside of areas is EINVAL', () => {
    const { kernel, alias, at } = withDirectMap(name);
    for (const address of [alias, at(1000), 0n])
      expect(codeOf(() => kernel.setVmFlushResetPerms(address))).toBe('EINVAL');
  });

  test('D46: without a direct map only the area changes', () => {
    const { kernel } = kernelOf(name);
    const address = kernel.vmalloc(4 * PAGE);
    const shape = () =>
      [...kernel.table.leaves(undefined, undefined, { complete: true })].map(({ va, count, pfn }) => [
        va,
        count,
        pfn,
      ]);
    const pages = () => [0n, 1n, 2n, 3n].map((page) => kernel.table.walk(address + page * BYTES).leaf);
    expect(shape()).toEqual([[address, 4, RAM_FIRST]]);
    kernel.setMemoryRo(address, 4);
    expect(shape()).toEqual([[address, 4, RAM_FIRST]]);
    expect(pages().map((leaf) => leaf?.protection.write)).toEqual(Array(4).fill(false));
    kernel.setVmFlushResetPerms(address);
    kernel.vfree(address);
    expect(shape()).toEqual([]);
  });

  test('D47: the alias follows for write, not for execute', () => {
    const { kernel, address, alias, writes } = withDirectMap(name);
    kernel.setMemoryRo(address + BYTES, 2);
    expect([writes(address), writes(alias)]).toEqual(Array(2).fill([true, false, false, true]));
    kernel.setMemoryX(address, 4);
    expect(kernel.table.walk(address).leaf?.protection.execute).toBe(true);
    expect(kernel.table.walk(alias).leaf?.protection.execute).toBe(false);
    kernel.setMemoryRw(address, 4);
    expect([writes(address), writes(alias)]).toEqual(Array(2).fill(Array(4).fill(true)));
  });
});
