import { applyToRange, type Protection, protection } from '@vmarea/core';
import { machine, refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { x86 } from '../formats/x86.js';

const WRITE = protection({ write: true });
const VA = 0x4000_0000n;
const four = x86(4);
/** R/W of a leaf. */
const WRITABLE = 2n;

/** A protection that runs a function when one member of it is read. */
function asking(call: () => void): Protection {
  return {
    ...WRITE,
    get write() {
      call();
      return true;
    },
  };
}

function detach(list: Uint32Array | Float64Array): void {
  structuredClone(list.buffer, { transfer: [list.buffer as ArrayBuffer] });
}

describe('a list of frames that a getter changes', () => {
  test.each([
    ['Uint32Array', () => Uint32Array.of(0x1234, 0x99)],
    ['Float64Array', () => Float64Array.of(0x1234, 0x99)],
  ])('is refused when the protection detaches the %s', (_name, make) => {
    const { table } = machine(four);
    const list = make();
    const error = refusal(() =>
      table.map(
        VA,
        list,
        asking(() => detach(list)),
      ),
    );
    expect(error.message).toBe('EINVAL: the list of frames changed its length from 2 to 0');
    expect([...table.leaves()]).toEqual([]);
  });

  test('is refused when an option detaches it', () => {
    const { table } = machine(four);
    const list = Uint32Array.of(0x1234, 0x99);
    const options = {
      get maxLeafShift() {
        detach(list);
        return 12;
      },
    };
    expect(refusal(() => table.map(VA, list, WRITE, options)).code).toBe('EINVAL');
    expect([...table.leaves()]).toEqual([]);
  });

  test('is refused when a later piece of mapMany detaches it', () => {
    const { table } = machine(four);
    const list = Uint32Array.of(0x1234, 0x99);
    const pieces = [
      { va: VA, frames: list, protection: WRITE },
      { va: VA + 0x10000n, frames: [7], protection: asking(() => detach(list)) },
    ];
    expect(refusal(() => table.mapMany(pieces)).code).toBe('EINVAL');
    expect([...table.leaves()]).toEqual([]);
  });

  test('is refused when an element of a later plain list makes a frame of it too large', () => {
    const { table } = machine(x86(4, 36));
    const list = Uint32Array.of(0x1234, 0x99);
    const later = [7];
    Object.defineProperty(later, 0, {
      get: () => {
        list[1] = 2 ** 24;
        return 7;
      },
    });
    const pieces = [
      { va: VA, frames: list, protection: WRITE },
      { va: VA + 0x10000n, frames: later, protection: WRITE },
    ];
    expect(refusal(() => table.mapMany(pieces)).code).toBe('EINVAL');
    expect([...table.leaves()]).toEqual([]);
  });
});

describe('a typed array of a class of the caller', () => {
  class Lying extends Uint32Array {
    override get length(): number {
      return 1;
    }
    override subarray(): never {
      throw new Error('subarray was called');
    }
  }

  test('is mapped by its real elements, also through WebAssembly', () => {
    const { table } = machine(four);
    const frames = Uint32Array.from({ length: 512 }, (_, i) => 3 * i + 1);
    table.map(VA, new Lying(frames.buffer as ArrayBuffer), WRITE);
    const found = Array.from(frames.keys(), (i) => Number(table.translate(VA + BigInt(i) * 4096n)) / 4096);
    expect(found).toEqual([...frames]);
  });

  test('is checked up to its real length', () => {
    const { table } = machine(x86(4, 36));
    const frames = Uint32Array.of(1, 2 ** 24);
    const error = refusal(() => table.map(VA, new Lying(frames.buffer as ArrayBuffer), WRITE));
    expect(error.message).toMatch(/^EINVAL: frame 0x1000000 of page 1 is not a frame number/);
  });
});

describe('a frozen protection with a getter', () => {
  /** Writable at first, and not afterwards. */
  const turning = (): Protection => {
    let reads = 0;
    const fields = Object.defineProperty({ ...WRITE }, 'write', {
      get: () => reads++ === 0,
      enumerable: true,
    });
    return Object.freeze(fields);
  };

  test('is read anew by each mapWords', () => {
    const { table } = machine(four);
    const turned = turning();
    table.mapWords(0, 0x1000, 1, turned);
    table.mapWords(0, 0x2000, 2, turned);
    expect([...table.leaves()].map(({ flags }) => flags & WRITABLE)).toEqual([WRITABLE, 0n]);
  });

  test('is read anew by each setLeaf', () => {
    const { table } = machine(four);
    const turned = turning();
    applyToRange(table, VA, 0x2000n, (slot) => slot.setLeaf(7, turned));
    expect([...table.leaves()].map(({ flags }) => flags & WRITABLE)).toEqual([WRITABLE, 0n]);
  });
});

test.each(['3', 2.5, Number.NaN, -1, 2 ** 32, null])(
  'a proxy of a list that says its length is %j is refused',
  (length) => {
    const { table } = machine(four);
    const list = new Proxy([1, 2, 3, 4], {
      get: (target, key) => (key === 'length' ? length : Reflect.get(target, key)),
    });
    expect(refusal(() => table.map(VA, list, WRITE)).code).toBe('EINVAL');
    expect([...table.leaves()]).toEqual([]);
  },
);
