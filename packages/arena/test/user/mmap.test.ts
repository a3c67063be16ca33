import { type Process, RegionObject } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { type AllocationKind, type ArenaRelease, createArena } from '../../src/index.js';
import { arenaOn, MACHINES, machine, processOn, startOf } from '../support/machine.js';

const FOUR = 1n << 32n;

describe.each(MACHINES)('mmap of an arena on %s', (name) => {
  test('checks in the order of Linux, before it is mapped', () => {
    const made = machine(name, { pages: 64 });
    const page = BigInt(made.page);
    const start = startOf(name);
    const arena = createArena(made.kernel, { maxEntries: 4, mapExtra: start });
    const { process } = processOn(made);
    const ask = (request: object) => () =>
      process.mmap({
        ...{ address: start, length: 4n * page, shared: true, read: true, write: true },
        ...{ object: arena.object, operations: arena.operations },
        ...request,
      });
    for (const [code, request] of [
      ['EINVAL', { pgoff: 1, length: FOUR + page, address: 0n, shared: false }],
      ['E2BIG', { length: FOUR + page, address: 0n, shared: false }],
      ['E2BIG', { length: 5n * page, address: 0n, shared: false }],
      ['EINVAL', { length: 3n * page, address: 0n, shared: false }],
      ['EINVAL', { address: start + page, shared: false }],
      ['EINVAL', { shared: false }],
      ['EACCES', { execute: true }],
    ] as const)
      expect([request, codeOf(ask(request))]).toEqual([request, code]);
    expect(process.regions()).toHaveLength(0);
    expect(ask({})()).toBe(start);
  });

  test('of the first process fixes the address, for the life of the arena', () => {
    const made = machine(name, { pages: 64 });
    const page = BigInt(made.page);
    const arena = createArena(made.kernel, { maxEntries: 4 });
    const [one, two, three] = [processOn(made), processOn(made), processOn(made)].map(
      ({ process }) => process,
    ) as [Process, Process, Process];
    const start = arena.mmap(one);
    expect(arena.userVmStart).toBe(start);
    expect(arena.userVmEnd).toBe(start + 4n * page);
    expect(start >> 32n).toBe((start + 4n * page - 1n) >> 32n);
    one.munmap(start, 4n * page);
    expect(codeOf(() => arena.mmap(two, { address: start - 64n * page }))).toBe('EINVAL');
    expect(codeOf(() => arena.mmap(two, { length: 2n * page }))).toBe('EINVAL');
    expect(codeOf(() => arena.mmap(two, { length: 8n * page }))).toBe('E2BIG');
    expect(arena.mmap(two)).toBe(start);
    // Something else is there: the search finds another address.
    three.mmap({ address: start, length: page, fixed: 'noReplace', read: true });
    expect(codeOf(() => arena.mmap(three))).toBe('EBUSY');
    expect(three.regions()).toHaveLength(1);
    expect(arena.mmap(three, { fixed: true })).toBe(start);
    expect(three.regions()).toHaveLength(1);
    expect(arena.allocPages(null, 4)).toBe(start);
  });

  test('finds an address whose range stays in one 4 GiB', () => {
    const made = machine(name, { pages: 64 });
    const page = BigInt(made.page);
    const { process } = processOn(made);
    // All but 6 GiB below the top of the search is taken down to a place in the middle of 4 GiB.
    const arena = createArena(made.kernel, { maxEntries: Number(FOUR / page) - 8 });
    const first = arena.mmap(process);
    expect(first >> 32n).toBe((arena.userVmEnd - 1n) >> 32n);
    expect(first % FOUR).toBe(0n);
  });

  test('marks its region as Linux does', () => {
    for (const [release, dontCopy, mixedMap] of [
      ['6.12', false, false],
      ['7.1', false, false],
      ['7.3', true, false],
      ['three-state', true, true],
    ] as const) {
      const made = machine(name, { pages: 64 });
      const arena = createArena(made.kernel, { maxEntries: 4, release });
      const { process } = processOn(made);
      const start = arena.mmap(process);
      const {
        flags,
        shared,
        name: shown,
      } = process.findRegion(start) as NonNullable<ReturnType<Process['findRegion']>>;
      expect([release, flags.dontCopy, flags.mixedMap, flags.dontExpand, flags.mayExecute]).toEqual([
        release,
        dontCopy,
        mixedMap,
        true,
        false,
      ]);
      expect(shared).toBe(true);
      expect(shown).toBe('anon_inode:bpf-map');
    }
  });

  test('may be for reading only: then nobody can make it writable', () => {
    const made = machine(name, { pages: 64 });
    const arena = createArena(made.kernel, { maxEntries: 4 });
    const { process } = processOn(made);
    const start = arena.mmap(process, { write: false });
    expect(process.handleFault(start, 'write')).toBe('SEGV');
    expect(process.handleFault(start, 'read')).toBe('mapped');
    expect(codeOf(() => process.mprotect(start, 4 * made.page, { read: true, write: true }))).toBe('EACCES');
  });

  test.each(['6.12', '7.2', '7.3'] as const)('stays at its address in release %s', (release) => {
    const made = machine(name, { pages: 64 });
    const page = BigInt(made.page);
    const arena = createArena(made.kernel, { maxEntries: 4, release });
    const { process } = processOn(made);
    const start = arena.mmap(process);
    process.handleFault(start, 'write');
    const before = process.maps();
    const fixed = start - 64n * page;
    for (const [at, pages] of [
      [start, 4n],
      [start, 1n],
      [start + page, 2n],
    ] as const)
      expect(codeOf(() => process.mremap(at, pages * page, pages * page, { mayMove: true, fixed }))).toBe(
        'EINVAL',
      );
    expect(process.maps()).toBe(before);
    expect(process.handleFault(start, 'read')).toBe('mapped');
  });

  test('keeps the arena from being destroyed', () => {
    const made = machine(name, { pages: 64 });
    const arena = createArena(made.kernel, { maxEntries: 4 });
    const { process } = processOn(made);
    const free = made.ram.stats().free;
    const start = arena.mmap(process);
    process.handleFault(start, 'write');
    expect(codeOf(() => arena.destroy())).toBe('EBUSY');
    process.munmap(start, 4 * made.page);
    // The arena has the page still: one more user, at the same place.
    expect(arena.memUsage()).toBe(BigInt(made.page));
    arena.destroy();
    expect(made.ram.stats().free).toBe(free + 1);
    expect(codeOf(() => arena.mmap(process))).toBe('EINVAL');
  });

  test('without memory for its record changes nothing', () => {
    const fails = new Set<AllocationKind>(['region']);
    const made = arenaOn(name, { maxEntries: 4, allocFailure: (kind) => fails.has(kind) }, { pages: 64 });
    const { process } = processOn(made);
    expect(codeOf(() => made.arena.mmap(process))).toBe('ENOMEM');
    expect(made.arena.userVmStart).toBe(0n);
    expect(process.regions()).toHaveLength(0);
    fails.clear();
    expect(made.arena.mmap(process)).toBe(made.arena.userVmStart);
  });
});

describe('a fork', () => {
  test.each(['6.12', '6.14', '7.1'] as const)('of release %s inherits an arena', (release: ArenaRelease) => {
    const made = arenaOn('arm64-64k-48', { maxEntries: 4, release }, { pages: 64 });
    const { arena, page } = made;
    const { process } = processOn(made);
    const start = arena.mmap(process);
    arena.allocPages(null, 1);
    process.handleFault(start, 'write');
    const child = process.fork();
    expect(child.handleFault(start, 'write')).toBe('mapped');
    process.munmap(start, 4 * page);
    expect(codeOf(() => arena.destroy())).toBe('EBUSY');
    arena.freePages(start, 1);
    expect(child.table.translate(start)).toBeNull();
    child.destroy();
    process.destroy();
    arena.destroy();
    expect(made.ram.stats().allocated).toBe(0);
  });

  test.each(['6.12', '7.2'] as const)('before 7.3, as in %s, a region can be split', (release) => {
    const made = arenaOn('arm64-64k-48', { maxEntries: 4, release }, { pages: 64 });
    const { arena, page } = made;
    const { process } = processOn(made);
    const start = arena.mmap(process);
    for (let i = 0; i < 4; i++) process.handleFault(start + BigInt(i * page), 'write');
    process.munmap(start + BigInt(page), page);
    expect(arena.object.regions).toHaveLength(2);
    arena.freePages(start, 4);
    for (let i = 0; i < 4; i++) expect(process.table.translate(start + BigInt(i * page))).toBeNull();
  });
});

describe('the object of an arena', () => {
  test('can be mapped by hand, and is one for all processes', () => {
    const { arena } = arenaOn('arm64-64k-48', { maxEntries: 4 }, { pages: 64 });
    expect(arena.object).toBeInstanceOf(RegionObject);
    expect(arena.object).toBe(arena.object);
    expect(Object.isFrozen(arena.operations)).toBe(true);
    expect(codeOf(() => arena.mmap({} as Process))).toBe('EINVAL');
    expect(codeOf(() => arena.view({ by: 'nobody' as never }))).toBe('EINVAL');
    expect(codeOf(() => arena.view({ mmu: {} as never }))).toBe('EINVAL');
  });
});
