import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arenaAddress, globalBytes } from '../../src/index.js';
import { ARCHITECTURES } from '../support/arena-machine.js';
import { context, type Loaded, loaded, u32At, u64At } from '../support/objects.js';

const setPageBytes = ({ program, machine }: Loaded): void => {
  new DataView(program.data).setUint32(globalBytes(program, 'page_bytes').byteOffset, machine.pageSize, true);
};

describe.each(Object.keys(ARCHITECTURES))('on %s', (architecture) => {
  describe.each(['end', 'start'] as const)('with variables at the %s of the arena', (arenaGlobals) => {
    test('a list has its elements in the arena, in order, and its sums agree', () => {
      const all = loaded('list', architecture, { link: { arenaGlobals } });
      const { machine, program, interpreter } = all;
      setPageBytes(all);
      expect(interpreter.run('fill', { context: context(1000) }).value).toBe(0n);
      expect(interpreter.run('sum').value).toBe(0n);
      expect(u64At(globalBytes(program, 'list_sum'))).toBe(499500n);
      expect(u64At(machine.read(arenaAddress(program, 'arena_sum'), 8))).toBe(499500n);
      expect(u32At(globalBytes(program, 'length'))).toBe(1000);

      const values = (): number[] => {
        const found: number[] = [];
        let at = u64At(machine.read(arenaAddress(program, 'head'), 8));
        while (at !== 0n) {
          const element = machine.read(at, 16);
          found.push(Number(u64At(element, 8)));
          at = u64At(element);
        }
        return found;
      };
      const expected = Array.from({ length: 1000 }, (_, i) => 999 - i);
      expect(values()).toEqual(expected);
      interpreter.run('reverse');
      expect(values()).toEqual(expected.reverse());
      // 16 bytes an element, and the page of the variables.
      expect(machine.mapped.size).toBe(Math.ceil(16000 / machine.pageSize) + 1);
    });
  });

  test('a list ends when the arena has no page left', () => {
    const all = loaded('list', architecture);
    setPageBytes(all);
    new DataView(all.program.data).setUint32(globalBytes(all.program, 'page_bytes').byteOffset, 32, true);
    expect(all.interpreter.run('fill', { context: context(1000) }).value).toBe(1n);
    expect(u32At(globalBytes(all.program, 'length'))).toBe(99 * 2);
  });

  test('a hash table does what a Map does', () => {
    const command = fc.record({
      kind: fc.nat({ max: 2 }),
      key: fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 0xffffffff })),
      value: fc.nat({ max: 0xffffffff }),
    });
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 120 }), (commands) => {
        const all = loaded('htab', architecture);
        setPageBytes(all);
        const model = new Map<number, number>();
        for (const { kind, key, value } of commands) {
          const bytes = new Uint8Array(new Uint32Array([kind, key, value, 9]).buffer);
          expect(all.interpreter.run('run', { context: bytes }).value).toBe(0n);
          const isThere = model.has(key);
          if (kind === 0) expect(u32At(bytes, 12)).toBe(isThere ? 0 : 1);
          else expect(u32At(bytes, 12)).toBe(isThere ? 1 : 0);
          expect(u32At(bytes, 8)).toBe(kind === 1 && isThere ? model.get(key) : value);
          if (kind === 0) model.set(key, value);
          if (kind === 2) model.delete(key);
          expect(u32At(globalBytes(all.program, 'entries'))).toBe(model.size);
        }
      }),
      { numRuns: 8 },
    );
  });

  test('a buddy allocator gives blocks that are aligned, apart, and of the lowest fitting order', () => {
    const request = fc.record({ isFree: fc.boolean(), which: fc.nat(), bytes: fc.nat({ max: 70_000 }) });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 60 }), (requests) => {
        const all = loaded('buddy', architecture);
        setPageBytes(all);
        const model = new BuddyModel();
        const live: number[] = [];
        let base: bigint | null = null;
        for (const { isFree, which, bytes } of requests) {
          const kind = isFree && live.length > 0 ? 1 : 0;
          const unit = kind === 1 ? (live.splice(which % live.length, 1)[0] as number) : 0;
          const pointer = kind === 1 ? (base as bigint) + BigInt(unit) * 64n : 0n;
          const request = new Uint8Array(16);
          new Uint32Array(request.buffer).set([kind, bytes]);
          new BigUint64Array(request.buffer)[1] = pointer;
          const { value } = all.interpreter.run('run', { context: request });
          if (kind === 1) {
            expect(value).toBe(0n);
            model.release(unit);
            continue;
          }
          const expected = model.allocate(bytes);
          const found = u64At(request, 8);
          base ??= u64At(all.machine.read(arenaAddress(all.program, 'base'), 8));
          expect(found).toBe(expected === null ? 0n : base + BigInt(expected) * 64n);
          expect(value).toBe(expected === null ? 1n : 0n);
          if (expected !== null) live.push(expected);
        }
      }),
      { numRuns: 8 },
    );
  });
});

/** Free blocks of each order as lists, the newest first: what the program keeps in the arena. */
class BuddyModel {
  readonly #free: number[][] = Array.from({ length: 11 }, (_, order) => (order === 10 ? [0] : []));
  readonly #orders = new Map<number, number>();

  allocate(bytes: number): number | null {
    const order = Math.max(0, Math.ceil(Math.log2(Math.max(1, bytes) / 64)));
    const found = this.#free.findIndex((list, i) => i >= order && list.length > 0);
    if (found < 0) return null;
    const unit = (this.#free[found] as number[]).shift() as number;
    for (let i = found - 1; i >= order; i--) this.#free[i]?.unshift(unit + 2 ** i);
    this.#orders.set(unit, order);
    return unit;
  }

  release(unit: number): void {
    let [at, order] = [unit, this.#orders.get(unit) as number];
    this.#orders.delete(unit);
    for (; order < 10; order++) {
      const list = this.#free[order] as number[];
      const buddy = list.indexOf(at ^ (2 ** order));
      if (buddy < 0) break;
      list.splice(buddy, 1);
      at &= ~(2 ** order);
    }
    this.#free[order]?.unshift(at);
  }
}
