import { PageReferences, type Process, RegionObject } from '@vmarea/core';
import { codeOf, walkBytes } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONFIGURATIONS } from '../vmap/support/kernel.js';
import { ModelProcess, type SharedMemory } from './support/model.js';
import { machineOf } from './support/processes.js';

/** VMAREA_RUNS multiplies the number of runs. */
const RUNS = 8 * Number(process.env.VMAREA_RUNS ?? 1);
const KINDS = ['read', 'write', 'execute'] as const;
/** Pages below the base that calls name. */
const SPAN = 24;

type Step = [call: number, who: number, at: number, count: number, more: number, rights: number];
const step: fc.Arbitrary<Step> = fc.tuple(
  // Half of the calls are accesses.
  fc.integer({ min: 0, max: 21 }),
  fc.nat(7),
  fc.nat(SPAN - 1),
  fc.integer({ min: 1, max: 6 }),
  fc.nat(SPAN - 1),
  fc.nat(7),
);

/** One process with its model. */
interface Pair {
  readonly process: Process;
  readonly model: ModelProcess;
}

/** A machine, its processes, and what their TLBs would hold. */
function worldOf(name: string) {
  const machine = machineOf(name, { tablePages: 768 });
  const { user, pageShift, memory, frames, pageBytes, processOf, userFormat } = machine;
  /** A translation that a processor may have, by asid and page: it must go with a flush before it is wrong. */
  const cached = new Map<string, { asid: number; page: number; pa: bigint; write: boolean }>();
  const sink = {
    flush: (va: bigint, bytes: bigint, _shift: number, _tables: readonly number[], asid: number) => {
      for (const [key, one] of cached) {
        const at = BigInt(one.page) << BigInt(pageShift);
        if (one.asid === asid && at >= va && at < va + bytes) cached.delete(key);
      }
    },
  };
  const pairs: Pair[] = [{ process: processOf({ sink }), model: new ModelProcess(user, pageShift) }];
  const objects = [0, 1].map((inode) => ({
    object: new RegionObject({ inode }),
    memory: new Map<number, number>() as SharedMemory,
  }));
  const lowest = Number(user.mmapBase >> BigInt(pageShift)) - SPAN;
  const address = (page: number): bigint => BigInt(page) << BigInt(pageShift);
  const bytes = (pages: number): bigint => BigInt(pages * pageBytes);

  const use = ({ process, model }: Pair, page: number, kind: (typeof KINDS)[number], value: number): void => {
    const may = model.may(page, kind);
    const { leaf, fault } = process.table.walk(address(page), { kind, user: true });
    // What the MMU allows without a fault, the model allows.
    if (leaf !== null && fault === null) expect(may).toBe(true);
    expect(process.handleFault(address(page) + 1n, kind)).toBe(may ? 'mapped' : 'SEGV');
    if (!may) return;
    const walk = process.table.walk(address(page), { kind, user: true });
    expect(walk.fault).toBeNull();
    const pa = walk.pa as bigint;
    expect(walkBytes(userFormat, memory, process.table.root, address(page))?.pa).toBe(pa);
    cached.set(`${process.asid}:${page}`, {
      asid: process.asid,
      page,
      pa,
      write: walk.permissions?.user.write === true,
    });
    const at = memory.bytesAt(pa, pageBytes);
    expect(at[pageBytes - 1]).toBe(model.read(page));
    if (kind !== 'write') return;
    at[pageBytes - 1] = value;
    model.write(page, value);
  };

  const check = (): void => {
    for (const { process, model } of pairs) {
      const pages = process.regions().flatMap((region) => {
        const first = Number(region.start >> BigInt(pageShift));
        const count = Number((region.end - region.start) >> BigInt(pageShift));
        const rights = (region.read ? 1 : 0) | (region.write ? 2 : 0) | (region.execute ? 4 : 0);
        return Array.from({ length: count }, (_, i) => [first + i, rights, region.shared] as const);
      });
      const expected = [...model.pages].map(
        ([page, one]) => [page, one.rights, one.memory !== null] as const,
      );
      expect(pages).toEqual(expected.sort(([a], [b]) => a - b));
      // Nothing is mapped outside of regions, and nothing of the kernel is user's.
      for (const run of process.table.leaves(0n, user.taskSize, { complete: true }))
        for (let i = 0; i < run.count; i++)
          expect(model.pages.has(Number(run.va >> BigInt(pageShift)) + i)).toBe(true);
    }
    for (const { asid, page, pa, write } of cached.values()) {
      const pair = pairs.find(({ process }) => process.asid === asid) as Pair;
      const walk = pair.process.table.walk(address(page));
      expect(walk.pa).toBe(pa);
      if (write) expect(walk.permissions?.user.write).toBe(true);
    }
  };

  const play = ([call, who, at, count, more, bits]: Step): void => {
    const pair = pairs[who % pairs.length] as Pair;
    const { process, model } = pair;
    const first = lowest + at;
    const pages = Math.min(count, SPAN - at);
    const rights = { read: (bits & 1) !== 0, write: (bits & 2) !== 0, execute: (bits & 4) !== 0 };
    const shared = objects[more & 1] as (typeof objects)[number];
    const offset = more >> 2;
    switch (call) {
      case 0:
      case 1: {
        const place = model.place(pages);
        const got = process.mmap({ length: bytes(pages) - 1n, ...rights });
        expect(got).toBe(address(place));
        model.map(place, pages, bits, null, 0);
        break;
      }
      case 2: {
        const free = model.isFree(first, pages);
        const place = free ? first : model.place(pages);
        const got = process.mmap({
          length: bytes(pages),
          address: address(first) + 5n,
          pgoff: offset,
          shared: true,
          object: shared.object,
          ...rights,
        });
        expect(got).toBe(address(place));
        model.map(place, pages, bits, shared.memory, offset);
        break;
      }
      case 3: {
        const isMemory = (more & 2) !== 0;
        const flags = { dontCopy: (more & 4) !== 0 };
        process.mmap({
          length: bytes(pages),
          address: address(first),
          fixed: 'replace',
          shared: isMemory,
          flags,
          ...rights,
        });
        model.map(first, pages, bits, isMemory ? new Map() : null, 0, !flags.dontCopy);
        break;
      }
      case 4:
        if (model.isFree(first, pages)) {
          process.mmap({ length: bytes(pages), address: address(first), fixed: 'noReplace', ...rights });
          model.map(first, pages, bits, null, 0);
        } else {
          expect(
            codeOf(() => process.mmap({ length: bytes(pages), address: address(first), fixed: 'noReplace' })),
          ).toBe('EEXIST');
        }
        break;
      case 5:
        process.munmap(address(first), bytes(pages));
        model.unmap(first, pages);
        break;
      case 6:
        if (model.isWhole(first, pages)) {
          process.mprotect(address(first), bytes(pages), rights);
          model.protect(first, pages, bits);
        } else {
          expect(codeOf(() => process.mprotect(address(first), bytes(pages), rights))).toBe('ENOMEM');
        }
        break;
      case 7:
        if (model.isWhole(first, pages)) process.madviseDontNeed(address(first), bytes(pages));
        else expect(codeOf(() => process.madviseDontNeed(address(first), bytes(pages)))).toBe('ENOMEM');
        model.forget(first, pages);
        break;
      case 8: {
        const region = process
          .regions()
          .find(({ start, end }) => address(first) >= start && address(first) < end);
        if (region === undefined) break;
        const old = Math.min(pages, Number((region.end - address(first)) >> BigInt(pageShift)));
        const next = 1 + (more % 6);
        const to = lowest - SPAN - next - (more % 5);
        if ((bits & 1) !== 0) {
          const got = process.mremap(address(first), bytes(old), bytes(next), {
            mayMove: true,
            fixed: address(to),
          });
          expect(got).toBe(address(to));
          model.move(first, old, to, next);
        } else if (next <= old) {
          expect(process.mremap(address(first), bytes(old), bytes(next))).toBe(address(first));
          model.unmap(first + next, old - next);
        } else {
          const grows =
            address(first + old) === region.end &&
            model.isFree(first + old, next - old) &&
            first + next <= Number(user.taskSize >> BigInt(pageShift));
          const place = grows ? first : model.place(next);
          expect(process.mremap(address(first), bytes(old), bytes(next), { mayMove: true })).toBe(
            address(place),
          );
          if (grows) {
            const one = model.pages.get(first + old - 1) as NonNullable<ReturnType<typeof model.pages.get>>;
            for (let i = old; i < next; i++)
              model.pages.set(first + i, { ...one, offset: one.offset + i - old + 1 });
          } else {
            model.move(first, old, place, next);
          }
        }
        break;
      }
      case 9:
        if (pairs.length < 4) pairs.push({ process: process.fork({ sink }), model: model.fork() });
        break;
      case 10:
        if (pairs.length < 2) break;
        process.destroy();
        pairs.splice(pairs.indexOf(pair), 1);
        for (const key of [...cached.keys()])
          if (key.startsWith(`${process.asid}:`)) expect.unreachable('exit without a flush');
        break;
      default:
        use(
          pair,
          [...model.pages.keys()][more % Math.max(1, model.pages.size)] ?? first,
          KINDS[bits % 3] as 'read',
          1 + ((at * 7 + count) % 250),
        );
    }
    // An object holds its pages as long as a region maps it.
    for (const { memory: values } of objects)
      if (!pairs.some(({ model: one }) => [...one.pages.values()].some((page) => page.memory === values)))
        values.clear();
    check();
  };

  const end = (): void => {
    for (const { process, model } of pairs)
      for (const page of [...model.pages.keys()])
        if (model.may(page, 'read')) use({ process, model }, page, 'read', 0);
    for (const { process } of pairs) process.destroy();
    const references = PageReferences.of(frames);
    for (let pfn = frames.first; pfn < frames.first + frames.frames; pfn++)
      expect(references.count(pfn)).toBe(0);
    machine.kernel.destroy();
    expect(frames.stats().allocated).toBe(0);
  };
  return { play, end };
}

describe.each(CONFIGURATIONS.map(({ name }) => name))('processes on %s', (name) => {
  test('do what a plain model of their programs does', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
        const world = worldOf(name);
        for (const one of steps) world.play(one);
        world.end();
      }),
      { numRuns: RUNS },
    );
  });
});
