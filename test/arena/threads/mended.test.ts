import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { account } from './account.js';
import { interruptedAt, nextStep } from './interrupted.js';
import { PAGE, pairOf, quiesceAll, START } from './pair.js';

const BYTES = 4n * PAGE;

describe('an arena that one thread destroys while another maps it', () => {
  test.each([
    ['destroy', 'mmap'],
    ['mmap', 'destroy'],
  ])('is mapped or destroyed, and never both: at each step of a %s a whole %s', (outer) => {
    const ends = new Set<string>();
    for (let at = 0; ; at = nextStep(at, 64)) {
      const { one, two } = pairOf();
      one.process.munmap(START, BYTES);
      const codes: string[] = [];
      const destroy = () => void codes.push(`destroy ${codeOf(() => one.arena.destroy())}`);
      const mmap = () => void codes.push(`mmap ${codeOf(() => two.arena.mmap(two.process))}`);
      const isInside = outer === 'mmap' ? interruptedAt(at, destroy, mmap) : interruptedAt(at, mmap, destroy);
      if (!isInside) break;
      const isMapped = one.process.findRegion(START) !== null;
      const end = `${one.arena.isLive ? 'live' : 'destroyed'}, ${isMapped ? 'mapped' : 'not mapped'}`;
      expect(end, `step ${at}: ${codes}`).not.toBe('destroyed, mapped');
      expect(isMapped, `step ${at}: ${codes}`).toBe(codes.includes('mmap none'));
      expect(one.arena.isLive, `step ${at}: ${codes}`).toBe(!codes.includes('destroy none'));
      ends.add(end);
      quiesceAll(one, two);
      // What is left can be used and ended.
      if (isMapped) one.process.munmap(START, BYTES);
      if (one.arena.isLive) {
        account(one);
        one.arena.destroy();
      }
    }
    expect(ends).toContain('live, mapped');
    expect(ends).toContain('destroyed, not mapped');
  });
});

describe('a request that finds no range', () => {
  test('may be tried again while another thread works on slots, and is out of memory when none does', () => {
    const codes: unknown[] = [];
    const pair = pairOf({
      maxEntries: 2,
      interleave: (point) => {
        if (point !== 'flush') return;
        for (const count of [1, 2]) {
          expect(pair.two.arena.allocPages(null, count)).toBeNull();
          codes.push(pair.two.arena.lastFailure?.code);
        }
      },
    });
    const { one, two } = pair;
    one.arena.allocPages(null, 2);
    expect(two.arena.allocPages(null, 1)).toBeNull();
    expect(two.arena.lastFailure?.code).toBe('ENOMEM');
    expect(one.arena.freePages(START, 1)).toBe('freed');
    expect(codes).toEqual(['EAGAIN', 'EAGAIN']);
    // One slot is free, and nobody works on the other.
    expect(two.arena.allocPages(null, 2)).toBeNull();
    expect(two.arena.lastFailure?.code).toBe('ENOMEM');
    expect(two.arena.allocPages(null, 1)).toBe(START);
  });

  test('tells of a thread that died with slots', () => {
    const { one, two } = pairOf({
      maxEntries: 1,
      interleave: () => {
        throw new Error('the end');
      },
    });
    one.arena.allocPages(null, 1);
    // One stays in the middle of a free, as a thread that died there.
    expect(() => one.arena.freePages(START, 1)).toThrow('the end');
    expect(two.arena.allocPages(null, 1)).toBeNull();
    two.threads.declareDead(one.threads.id);
    expect(codeOf(() => two.arena.allocPages(null, 1))).toBe('EOWNERDEAD');
    expect(codeOf(() => two.arena.allocPages(START, 1))).toBe('EOWNERDEAD');
  });
});

describe('the user address of an arena', () => {
  test('is 0 or whole in every thread while the first mmap chooses it', () => {
    const seen = new Set<bigint>();
    let start = 0n;
    for (let at = 0; ; at++) {
      const { one, two } = pairOf({ mapExtra: 0n }, {}, 24, false);
      const isInside = interruptedAt(
        at,
        () => {
          const known = one.arena.userVmStart;
          seen.add(known);
          // Who knows it can use the arena.
          expect(one.arena.allocPages(null, 1) ?? 0n, `step ${at}`).toBe(known);
        },
        () => void two.arena.mmap(two.process),
      );
      start = two.arena.userVmStart;
      expect(one.arena.userVmStart).toBe(start);
      if (!isInside) break;
    }
    expect(start).toBeGreaterThan(0n);
    expect(seen).toEqual(new Set([0n, start]));
  });
});
