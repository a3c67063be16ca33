import { type AddressSpace, FrameAllocator, type Process, VM_IOREMAP } from '@vmarea/core';
import { type Accessed, Mmu } from '@vmarea/mmu';
import { codeOf, walkBytes } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { CONFIGURATIONS } from '../vmap/support/kernel.js';
import { bytesOf, digestOf, machineOf } from './support/processes.js';

const NAMES = CONFIGURATIONS.map(({ name }) => name);
/** Those whose roots translate both halves. */
const SHARING = CONFIGURATIONS.filter(({ userFormat }) => userFormat === undefined).map(({ name }) => name);
const RW = { read: true, write: true };

type Machine = ReturnType<typeof machineOf>;

/** The upper half of a root, entry by entry. */
function upperHalf({ memory, format }: Machine, { table }: AddressSpace | Process): bigint[] {
  const entries = 2 ** (format.levels[0]?.bits ?? 0);
  return Array.from({ length: entries / 2 }, (_, i) =>
    memory.read64(table.root + BigInt(8 * (entries / 2 + i))),
  );
}

/** What a processor translates with while a process runs. */
function mmuOf({ memory, kernel, format, userFormat }: Machine, process: Process): Mmu {
  const own = { format: userFormat, root: process.table.root, controls: {} };
  const tables = userFormat === format ? own : [own, { format, root: kernel.table.root, controls: {} }];
  return new Mmu({ memory, tables, asid: process.asid });
}

const paOf = ({ pa }: Accessed): bigint | null => pa;

describe.each(SHARING)("the kernel's half on %s", (name) => {
  test('shows what the kernel maps later, without a change of any root', () => {
    const machine = machineOf(name);
    const { kernel, linux, format, memory, processOf, page } = machine;
    const early = kernel.vmalloc(page);
    const processes = [processOf(), processOf()];
    const roots = processes.map((one) => upperHalf(machine, one));
    const { start, end } = linux.window;
    const window = (from: bigint) => ({ start: from, end });
    const places = [start, (start + end) / 2n, end - 64n * page].map((from) => from & ~(page - 1n));
    const areas = places.map((from) => kernel.getVmAreaNode({ size: page, window: window(from) }));
    areas.forEach((area, i) => void area.map(0, [0x40 + i]));
    const late = kernel.vmalloc(3n * page);
    for (const [i, process] of processes.entries()) {
      expect(upperHalf(machine, process)).toEqual(roots[i]);
      expect(upperHalf(machine, process)).toEqual(upperHalf(machine, kernel));
      for (const address of [early, late, late + 2n * page, ...areas.map(({ addr }) => addr)]) {
        const pa = kernel.table.translate(address);
        expect(pa).not.toBeNull();
        expect(walkBytes(format, memory, process.table.root, address)?.pa).toBe(pa);
        expect(paOf(mmuOf(machine, process).access(address, 'read', false))).toBe(pa);
      }
    }
    kernel.vfree(late);
    for (const process of processes) expect(walkBytes(format, memory, process.table.root, late)).toBeNull();
  });

  test('reaches areas outside of the vmalloc window', () => {
    const machine = machineOf(name);
    const { kernel, format, memory, processOf, page } = machine;
    const processes = [processOf(), processOf()];
    const start = (1n << 64n) - (1n << BigInt(format.range.bits - 1));
    const area = kernel.getVmAreaNode({ size: page, window: { start, end: start + (1n << 30n) } });
    area.map(0, [0x77]);
    for (const process of processes)
      expect(walkBytes(format, memory, process.table.root, area.addr)?.pa).toBe(0x77n * page);
    expect(upperHalf(machine, processes[1] as Process)).toEqual(upperHalf(machine, kernel));
  });

  test('undoes a reservation outside of the window when there is no frame for its tables', () => {
    const machine = machineOf(name);
    const { kernel, format, processOf, page, frames } = machine;
    processOf();
    const taken = frames.allocateMany(frames.stats().free);
    const before = digestOf(machine);
    const start = (1n << 64n) - (1n << BigInt(format.range.bits - 1));
    const window = { start, end: start + (1n << 30n) };
    expect(codeOf(() => kernel.getVmAreaNode({ size: page, window }))).toBe('ENOMEM');
    expect(digestOf(machine)).toBe(before);
    frames.freeMany(taken);
    expect(kernel.getVmAreaNode({ size: page, window }).addr).toBe(start);
  });

  test('has no leaves in the root, neither earlier ones nor later ones', () => {
    const machine = machineOf(name);
    const { kernel, format, processOf } = machine;
    const root = format.levels[0]?.shift ?? 0;
    const earlier = kernel.ioremap(1n << 34n, 2n << 30n);
    const hadLeaf = [...kernel.table.leaves(undefined, undefined, { complete: true })].some(
      ({ leafShift }) => leafShift === root,
    );
    expect(hadLeaf).toBe(root === 30);
    const process = processOf();
    const later = kernel.getVmArea(2n << 30n, VM_IOREMAP);
    kernel.ioremapPageRange(
      later.addr,
      later.addr + later.bytes,
      1n << 35n,
      kernel.linux.protections.IOREMAP,
    );
    expect(
      [...process.table.leaves(undefined, undefined, { complete: true })].filter(
        ({ leafShift }) => leafShift >= root,
      ),
    ).toEqual([]);
    expect(process.table.translate(earlier + (1n << 30n))).toBe((1n << 34n) + (1n << 30n));
    expect(process.table.translate(later.addr)).toBe(1n << 35n);
    kernel.iounmap(earlier);
    expect(process.table.translate(earlier)).toBeNull();
    expect(upperHalf(machine, process)).toEqual(upperHalf(machine, kernel));
  });

  test('may have leaves in the root again after a process that could not be made', () => {
    const ram = new FrameAllocator(null, {
      pageShift: machineOf(name).format.pageShift,
      first: 2 ** 20,
      frames: 1,
    });
    const machine = machineOf(name, { ram });
    const { kernel, format, processOf } = machine;
    const taken = ram.allocate();
    expect(codeOf(() => processOf())).toBe('ENOMEM');
    const root = format.levels[0]?.shift ?? 0;
    kernel.ioremap(1n << 34n, 2n << 30n);
    const hasLeaf = [...kernel.table.leaves(undefined, undefined, { complete: true })].some(
      ({ leafShift }) => leafShift === root,
    );
    expect(hasLeaf).toBe(root === 30);
    ram.free(taken);
    const process = processOf();
    expect(
      [...process.table.leaves(undefined, undefined, { complete: true })].filter(
        ({ leafShift }) => leafShift >= root,
      ),
    ).toEqual([]);
  });

  test('stays when a process ends', () => {
    const machine = machineOf(name);
    const { kernel, processOf, page } = machine;
    const address = kernel.vmalloc(page);
    const pa = kernel.table.translate(address);
    processOf().destroy();
    const child = processOf().fork();
    child.destroy();
    expect(kernel.table.translate(address)).toBe(pa);
    expect(kernel.vmalloc(page)).toBeGreaterThan(address);
  });
});

describe.each(NAMES)('calls of a process on %s', (name) => {
  test('touch no address of the kernel', () => {
    const machine = machineOf(name);
    const { kernel, processOf, page, user, linux } = machine;
    const address = kernel.vmallocUser(4n * page);
    const process = processOf();
    const at = process.mmap({ length: page, shared: true, ...RW });
    const region = process.findRegion(at);
    const before = digestOf(machine);
    const last = (user.taskSize - 1n) & ~(page - 1n);
    const codes = [address, linux.window.start, user.taskSize].map((one) =>
      [
        () => process.munmap(one, page),
        () => process.mprotect(one, page, {}),
        () => process.mremap(one, page, 2n * page),
        () => process.mremap(at, page, page, { mayMove: true, fixed: one }),
        () => process.madviseDontNeed(one, page),
        () => process.mmap({ length: page, address: one, fixed: 'replace' }),
        () => process.mmap({ length: page, address: one, fixed: 'noReplace' }),
        () => process.insertPage(region as NonNullable<typeof region>, one, 1),
      ].map(codeOf),
    );
    const expected = ['EINVAL', 'ENOMEM', 'EFAULT', 'EINVAL', 'ENOMEM', 'ENOMEM', 'ENOMEM', 'EFAULT'];
    expect(codes).toEqual([expected, expected, expected]);
    expect(codeOf(() => process.munmap(last, 2n * page))).toBe('EINVAL');
    expect(codeOf(() => process.munmap(0n, user.taskSize + page))).toBe('EINVAL');
    expect([address, user.taskSize].map((one) => process.handleFault(one, 'read'))).toEqual(['SEGV', 'SEGV']);
    expect([address, user.taskSize].map((one) => process.findRegion(one))).toEqual([null, null]);
    expect(digestOf(machine)).toBe(before);
    // A hint in the kernel's half is not followed. It only says that high addresses are welcome.
    const isWide = user.hintWidens && user.taskSize > user.mapWindow;
    const highest = isWide ? user.mmapBase + user.taskSize - user.mapWindow : at;
    expect(process.mmap({ length: page, address, ...RW })).toBe(highest - page);
  });

  test('use the lowest and the highest pages of the user, and no others', () => {
    const { processOf, page, user } = machineOf(name);
    const process = processOf();
    const last = user.taskSize - page;
    for (const address of [user.minAddress, last]) {
      expect(process.mmap({ length: page, address, fixed: 'noReplace', ...RW })).toBe(address);
      expect(process.handleFault(address, 'write')).toBe('mapped');
      expect(process.table.walk(address, { kind: 'write', user: true }).fault).toBeNull();
    }
    for (const address of [0n, user.minAddress - page])
      expect(codeOf(() => process.mmap({ length: page, address, fixed: 'replace' }))).toBe('EPERM');
    expect(codeOf(() => process.mmap({ length: 2n * page, address: last, fixed: 'replace' }))).toBe('ENOMEM');
    expect(codeOf(() => process.mmap({ length: page, address: last + 1n, fixed: 'replace' }))).toBe('ENOMEM');
    expect(
      codeOf(() => process.mmap({ length: page, address: user.minAddress + 1n, fixed: 'replace' })),
    ).toBe('EINVAL');
    expect(codeOf(() => process.mremap(user.minAddress, page, page, { mayMove: true, fixed: 0n }))).toBe(
      'EPERM',
    );
    process.munmap(0n, user.taskSize);
    expect(process.regions()).toEqual([]);
    expect([...process.table.leaves(0n, 1n << BigInt(process.table.format.range.bits - 1))]).toEqual([]);
    // A hint below the lowest address is that address.
    expect(process.mmap({ length: page, address: page, ...RW })).toBe(user.minAddress);
  });

  test('serve the faults of a processor', () => {
    const machine = machineOf(name);
    const { processOf, kernel, page } = machine;
    const process = processOf();
    const at = process.mmap({ length: 2n * page, ...RW });
    const mmu = mmuOf(machine, process);
    expect(mmu.access(at + 8n, 'read', true).fault?.kind).toBe('not-present');
    expect(process.handleFault(at + 8n, 'read')).toBe('mapped');
    expect(mmu.load32(Number(at >> 32n), Number(at & 0xffffffffn) + 8, true)).toBe(0);
    expect(mmu.access(at + 8n, 'write', true).fault).not.toBeNull();
    // The zero page goes: its translation must not be served any more.
    const watched = processOf({ sink: mmu.sink });
    watched.destroy();
    expect(process.handleFault(at + 8n, 'write')).toBe('mapped');
    mmu.sink.flush(at, page, machine.pageShift, [], process.asid);
    mmu.store32(Number(at >> 32n), Number(at & 0xffffffffn) + 8, true, 42);
    expect(new DataView(bytesOf(machine, process, at).slice().buffer).getUint32(8, true)).toBe(42);
    const secret = kernel.vmalloc(page);
    expect(mmu.access(secret, 'read', true).fault).not.toBeNull();
    expect(process.handleFault(secret, 'read')).toBe('SEGV');
    expect(paOf(mmu.access(secret, 'read', false))).toBe(kernel.table.translate(secret));
  });

  test('flush what a processor of theirs holds', () => {
    const machine = machineOf(name);
    const { page, kernel, userFormat, format } = machine;
    let mmu: Mmu | null = null;
    const process = machine.processOf({
      sink: { flush: (va, bytes, shift, tables, asid) => mmu?.sink.flush(va, bytes, shift, tables, asid) },
    });
    mmu = mmuOf(machine, process);
    const at = process.mmap({ length: 4n * page, ...RW });
    process.handleFault(at, 'read');
    const zero = paOf(mmu.access(at, 'read', true));
    process.handleFault(at, 'write');
    const own = paOf(mmu.access(at, 'write', true));
    expect(own).not.toBe(zero);
    const child = process.fork();
    expect(mmu.access(at, 'write', true).fault).not.toBeNull();
    process.handleFault(at, 'write');
    expect(paOf(mmu.access(at, 'write', true))).not.toBe(own);
    process.mprotect(at, page, { read: true });
    expect(mmu.access(at, 'write', true).fault).not.toBeNull();
    process.mprotect(at, page, {});
    expect(mmu.access(at, 'read', true).fault).not.toBeNull();
    process.mprotect(at, page, RW);
    expect(process.handleFault(at, 'write')).toBe('mapped');
    expect(mmu.access(at, 'write', true).fault).toBeNull();
    const moved = process.mremap(at, page, page, { mayMove: true, fixed: at - 64n * page });
    expect(mmu.access(at, 'read', true).fault).not.toBeNull();
    expect(mmu.access(moved, 'read', true).fault).toBeNull();
    process.madviseDontNeed(moved, page);
    expect(mmu.access(moved, 'read', true).fault).not.toBeNull();
    expect(userFormat === format).toBe(kernel.table.format === process.table.format);
    child.destroy();
  });
});
