import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arenaAddress, globalBytes } from '../../src/index.js';
import { ARCHITECTURES } from '../support/arena-machine.js';
import { u64At } from '../support/objects.js';
import { type RealArena, realArena } from '../support/real-arena.js';

/*
 * Programs of the shapes that the kernel's libarena has, in an arena of @vmarea/arena: a bump allocator, a stack, a bitmap, a red-black tree
 * and a queue of one owner and many thieves. Each is compared with a plain model.
 */

/** A variable of the arena. */
const variable = ({ arena, program }: RealArena, name: string): bigint =>
  arena.load(arenaAddress(program, name), 8);

describe.each(Object.keys(ARCHITECTURES))('on %s', (architecture) => {
  test('a bump allocator gives blocks that are aligned, apart, and in pages that are there', () => {
    const request = fc.record({ bytes: fc.nat({ max: 9000 }), shift: fc.nat({ max: 13 }) });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 40, size: 'max' }), (requests) => {
        const all = realArena('bump', architecture);
        const { arena, run, page } = all;
        const own = arena.memUsage();
        const blocks: [from: bigint, to: bigint][] = [];
        for (const { bytes, shift } of requests) {
          const align = 1n << BigInt(shift);
          const used = arena.memUsage();
          const { value, seen } = run('allocate', 3, BigInt(bytes), align, 0n);
          const at = seen[2] as bigint;
          if (value !== 0n) {
            // No bytes at all, or a run that is larger than what is left of 64 pages.
            const pages = (16n + align - 1n + BigInt(bytes) + page - 1n) / page;
            expect([at, bytes === 0 ? 1n : 2n]).toEqual([0n, value]);
            if (bytes > 0) expect(used / page + pages).toBeGreaterThan(64n);
            continue;
          }
          const end = at + BigInt(bytes);
          expect(at % align).toBe(0n);
          for (const [from, to] of blocks) expect(end <= from || at >= to).toBe(true);
          blocks.push([at, end]);
          for (const place of [at, end - 1n]) {
            arena.store(place, 1, 0xabn);
            expect(arena.load(place, 1)).toBe(0xabn);
          }
        }
        run('release_all', 0);
        expect(arena.memUsage()).toBe(own);
      }),
      { numRuns: 4 },
    );
  });

  test('a stack does what an array does, and gives back what it does not need', () => {
    const POP = 1n << 63n;
    const command = fc.oneof(fc.bigInt({ min: 0n, max: POP - 1n }), fc.constant(POP));
    const list = fc.array(command, { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(fc.array(list, { maxLength: 20 }), fc.nat({ max: 3000 }), (lists, many) => {
        const all = realArena('stack', architecture);
        const { arena, run, page } = all;
        const capacity = (page - 8n) / 8n;
        const model: bigint[] = [];
        expect(run('fill', 2, 100n, BigInt(many)).value).toBe(BigInt(many));
        for (let i = 0; i < many; i++) model.push(100n + BigInt(i));
        const check = (commands: readonly bigint[]): void => {
          const { value, seen } = run('run', 61, BigInt(commands.length), ...commands);
          expect(value).toBe(0n);
          const expected = commands.map((one) => {
            if (one === POP) return model.pop() ?? 2n ** 64n - 1n;
            model.push(one);
            return one;
          });
          expect(seen.slice(1, commands.length + 1)).toEqual(expected);
          expect(variable(all, 'depth')).toBe(BigInt(model.length));
          // The page of its variables, full segments, one that is not full, and one that is spare.
          const needed = (BigInt(model.length) + capacity - 1n) / capacity;
          expect(arena.memUsage() / page).toBeLessThanOrEqual(needed + 2n);
        };
        for (const commands of lists) check(commands);
        while (model.length > 0) check(Array(60).fill(POP));
        expect(arena.memUsage()).toBe(many > 0 || lists.flat().some((one) => one !== POP) ? 2n * page : page);
      }),
      { numRuns: 4 },
    );
  });

  test('a stack has as many numbers as its arena has room for', () => {
    const { run, page } = realArena('stack', architecture);
    expect(run('fill', 2, 0n, 1n << 40n).value).toBe(31n * ((page - 8n) / 8n));
  });

  test('a bitmap does what a Set does', () => {
    const [SET, CLEAR, TEST, TAKE, COUNT, NEXT] = [0n, 1n, 2n, 3n, 4n, 5n];
    const bit = fc.oneof(fc.nat({ max: 999 }), fc.constantFrom(0, 63, 64, 127, 128, 960, 998, 999));
    const command = fc.tuple(fc.constantFrom(SET, CLEAR, TEST, TAKE, COUNT, NEXT), bit);
    const { run } = realArena('bitmap', architecture);
    const model = new Set<number>();
    const first = (from: number, wanted: boolean): bigint => {
      let at = from;
      while (at < 1000 && model.has(at) !== wanted) at++;
      return BigInt(at);
    };
    fc.assert(
      fc.property(fc.array(command, { maxLength: 150, size: 'max' }), (commands) => {
        for (const [kind, at] of commands) {
          const { value, seen } = run('run', 3, kind, BigInt(at), 0n);
          const was = model.has(at) ? 1n : 0n;
          const results = new Map([
            ...([SET, CLEAR, TEST].map((one) => [one, was]) as [bigint, bigint][]),
            [TAKE, first(0, false)] as const,
            [COUNT, BigInt(model.size)] as const,
            [NEXT, first(at, true)] as const,
          ]);
          expect([value, seen[2]]).toEqual([0n, results.get(kind)]);
          if (kind === SET) model.add(at);
          if (kind === CLEAR) model.delete(at);
          if (kind === TAKE && first(0, false) < 1000n) model.add(Number(first(0, false)));
        }
      }),
      { numRuns: 10 },
    );
    expect(run('run', 3, SET, 1000n, 0n).value).toBe(1n);
    run('take_all', 0);
    expect(run('run', 3, COUNT, 0n, 0n).seen[2]).toBe(1000n);
    expect(run('run', 3, TAKE, 0n, 0n).seen[2]).toBe(1000n);
  });

  test('a red-black tree does what a Map does, and keeps its rules', () => {
    const key = fc.oneof(fc.nat({ max: 40 }).map(BigInt), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
    const command = fc.tuple(
      fc.constantFrom(0n, 0n, 1n, 2n, 2n),
      key,
      fc.nat({ max: 0xffffffff }).map(BigInt),
    );
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 200, size: 'max' }), (commands) => {
        const all = realArena('rbtree', architecture);
        const model = new Map<bigint, bigint>();
        for (const [kind, key, value] of commands) {
          const { value: code, seen } = all.run('run', 4, kind, key, value, 0n);
          const known = model.get(key);
          const result = kind === 0n ? known === undefined : known !== undefined;
          expect([code, seen[3]]).toEqual([0n, result ? 1n : 0n]);
          expect(seen[2]).toBe(kind === 0n ? value : (known ?? value));
          if (kind === 0n) model.set(key, value);
          if (kind === 2n) model.delete(key);
        }
        expect(inOrder(all)).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)));
        expect(u64At(new Uint8Array(globalBytes(all.program, 'entries')))).toBe(BigInt(model.size));
      }),
      { numRuns: 4 },
    );
  });

  test('a red-black tree of 1,000 keys keeps its rules while all are removed', () => {
    const all = realArena('rbtree', architecture);
    const keys = Array.from({ length: 1000 }, (_, i) => BigInt((i * 617) % 1000));
    for (const key of keys) expect(all.run('run', 4, 0n, key, key * 3n, 0n).value).toBe(0n);
    expect(inOrder(all)).toEqual(Array.from({ length: 1000 }, (_, i) => [BigInt(i), BigInt(i * 3)]));
    for (const [i, key] of keys.toReversed().entries()) {
      all.run('run', 4, 2n, key, 0n, 0n);
      if (i % 50 === 0) inOrder(all);
    }
    expect(inOrder(all)).toEqual([]);
  });

  test('a queue does what an array does: its owner takes from one end, and thieves from the other', () => {
    const command = fc.tuple(fc.constantFrom('add', 'take', 'steal'), fc.integer({ min: 1, max: 90 }));
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 40, size: 'max' }), (commands) => {
        const all = realArena('spmc', architecture);
        const { run, arena, program } = all;
        expect(run('prepare', 0).value).toBe(0n);
        const [model, stolen]: [bigint[], bigint[]] = [[], []];
        let next = 1n;
        for (const [kind, count] of commands) {
          if (kind === 'add' && model.length + count < 1023) {
            expect(run('add_some', 2, next, BigInt(count)).value).toBe(0n);
            for (let i = 0; i < count; i++) model.push(next++);
          } else if (kind === 'take') {
            expect(run('take_one', 0).value).toBe(model.pop() ?? 2n ** 64n - 1n);
          } else if (stolen.length + count <= 1024) {
            run('rob_some', 1, BigInt(count));
            stolen.push(...model.splice(0, count));
          }
        }
        const at = variable(all, 'values');
        expect(stolen.map((_, i) => arena.load(at + BigInt(i * 8), 8))).toEqual(stolen);
        expect(arena.load(arenaAddress(program, 'counts'), 8)).toBe(BigInt(stolen.length));
      }),
      { numRuns: 4 },
    );
  });
});

/** The keys and values of a tree in their order. Its links and its colours are checked. */
function inOrder({ arena, program }: RealArena): [key: bigint, value: bigint][] {
  const found: [bigint, bigint][] = [];
  const word = (at: bigint, index: number): bigint => arena.load(at + BigInt(index * 8), 8);
  /** Returns the black nodes of each path down. */
  const visit = (at: bigint, parent: bigint, isBelowRed: boolean): number => {
    if (at === 0n) return 0;
    expect(word(at, 2)).toBe(parent);
    const isRed = word(at, 5) === 1n;
    expect(isRed && isBelowRed).toBe(false);
    const left = visit(word(at, 0), at, isRed);
    found.push([word(at, 3), word(at, 4)]);
    expect(visit(word(at, 1), at, isRed)).toBe(left);
    return left + (isRed ? 0 : 1);
  };
  // The root is black.
  visit(arena.load(arenaAddress(program, 'root'), 8), 0n, true);
  return found;
}
