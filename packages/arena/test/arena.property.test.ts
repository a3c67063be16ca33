import type { VmError } from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arenaOn, type MachineName, processOn, startOf } from './support/machine.js';
import { type Failing, PlainArena } from './support/plain-arena.js';

/** VMAREA_RUNS multiplies the number of runs. Each makes an arena, whose tables take 8 MiB. */
const RUNS = 30 * Number(process.env.VMAREA_RUNS ?? 1);
const SLOTS = 12;
/** Fewer frames than slots and their scratch page, so that they run out. */
const FRAMES = 10;

const CALLS = [
  ...(['alloc', 'alloc', 'allocAt', 'free', 'free', 'freeLater', 'work', 'reserve', 'store'] as const),
  ...(['touch', 'touch', 'touch', 'write', 'map', 'unmap'] as const),
] as const;

const step = fc.record({
  call: fc.constantFrom(...CALLS),
  slot: fc.integer({ min: 0, max: SLOTS - 1 }),
  count: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constantFrom(0, 5, SLOTS, SLOTS + 1)),
  user: fc.integer({ min: 0, max: 1 }),
  value: fc.integer({ min: 1, max: 1000 }),
  failing: fc.option(fc.constantFrom<Failing>('array', 'page', 'node', 'span', 'lock'), { freq: 2 }),
});

describe.each([
  ['arm64-64k-48', 'three-state'],
  ['arm64-64k-48', '7.3'],
  ['arm64-16k-47', 'three-state'],
] as const)('an arena on %s, of release %s', (name: MachineName, release) => {
  test('does what a list of slots with pages and users does, while any allocation fails', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        let failing: Failing = null;
        const start = startOf(name);
        const made = arenaOn(
          name,
          { maxEntries: SLOTS, mapExtra: start, release, allocFailure: (kind) => kind === failing },
          { pages: FRAMES },
        );
        const { arena, ram, page } = made;
        const users = [0, 1].map(() => {
          const one = processOn(made);
          return { ...one, view: arena.view({ by: one.process, mmu: one.mmu }) };
        });
        const plain = new PlainArena(SLOTS, ram.stats().free, release === 'three-state');
        const at = (slot: number): bigint => start + BigInt(slot * page);
        const low = (slot: number): number => Number(at(slot) & 0xffffffffn);
        const slotOf = (address: bigint | null) =>
          address === null ? arena.lastFailure?.code : Number(address - start) / page;
        for (const { call, slot, count, user, value, failing: what } of steps) {
          failing = what;
          plain.failing = what;
          const { process, view } = users[user] as (typeof users)[number];
          if (call === 'alloc') expect(slotOf(arena.allocPages(null, count))).toBe(plain.alloc(null, count));
          if (call === 'allocAt')
            expect(slotOf(arena.allocPages(at(slot), count))).toBe(plain.alloc(slot, count));
          if ((call === 'free' || call === 'freeLater') && count > 0)
            expect(arena.freePages(at(slot), count, { sleepable: call === 'free' })).toBe(
              plain.free(slot, count, call === 'free'),
            );
          if (call === 'work') expect(arena.runWorker()).toBe(plain.work());
          if (call === 'reserve') {
            let code = 'ok';
            try {
              arena.reservePages(at(slot), count);
            } catch (error) {
              code = (error as VmError).code;
            }
            expect(code).toBe(plain.reserve(slot, count));
          }
          if (call === 'store') {
            arena.store(at(slot), 4, BigInt(value));
            const there = plain.pages[slot];
            if (there !== null && there !== undefined) there.value = value;
          }
          if (call === 'touch') {
            const outcome = process.handleFault(at(slot), value % 2 === 0 ? 'read' : 'write');
            expect(outcome).toBe(plain.touch(user, slot));
          }
          if (call === 'write' && plain.pages[slot]?.users.has(user) === true) {
            // The first write of a page that was read sets bits of its entry, and asks nobody.
            view.store32(low(slot), 0, value);
            (plain.pages[slot] as { value: number }).value = value;
          }
          if (call === 'map' && !plain.mapping.has(user)) {
            failing = null;
            arena.mmap(process);
            plain.mapping.add(user);
          }
          if (call === 'unmap' && plain.mapping.has(user)) {
            process.munmap(start, SLOTS * page);
            plain.unmap(user);
          }
          // Everything that can be seen.
          for (let i = 0; i < SLOTS; i++) {
            const there = plain.pages[i] ?? null;
            expect(arena.load(at(i), 4)).toBe(BigInt(there?.value ?? 0));
            for (const [u, one] of users.entries()) {
              const isMapped = there?.users.has(u) === true;
              expect(one.process.table.translate(at(i)) !== null).toBe(isMapped);
              if (isMapped) expect(one.view.loadSigned32(low(i))).toBe(there?.value);
            }
          }
          expect(arena.memUsage()).toBe(BigInt(plain.used * page));
          expect(ram.stats().free).toBe(plain.frames);
          expect(arena.pendingSpans).toBe(plain.queue.length);
        }
        for (const { process } of users) process.destroy();
        arena.destroy();
        expect(ram.stats().allocated).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });
});
