import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { machineState, type Translation, withHidden } from '../../src/format/translation.js';
import { PageTableReader, PhysicalMemory, VmError } from '../../src/index.js';
import { arm64 } from '../formats/arm64.js';

const format = arm64({ granule: 4, vaBits: 48 });
const tables: Translation = { format, root: 0x1000n, controls: format.controls };
const machine = machineState(tables, { asid: 7 }, (va, kind) =>
  kind === 'write' ? 'nothing can be written' : { tables, address: va | (0xffn << 56n) },
);

describe('the state of a machine', () => {
  test('gives the tables of an address, without its tag', () => {
    const found = machine.for(0x00ffc90000000123n);
    expect(found).toMatchObject({ ...tables, address: 0xffffc90000000123n });
    expect(machine.whyNot(0x00ffc90000000123n)).toBeNull();
  });

  test('gives null, and the reason, where nothing translates the address', () => {
    expect(machine.for(0x00ffc90000000123n, 'write')).toBeNull();
    expect(machine.whyNot(0x00ffc90000000123n, 'write')).toBe('nothing can be written');
    expect(machine.for(0x1000n)).toBeNull();
    expect(machine.whyNot(0x1000n)).toBe(
      '0xff00000000001000 is not an address of arm64-4k-48: bits 63 to 48 must all be 1',
    );
  });

  test.each<[unknown, unknown, string]>([
    [0, undefined, 'EINVAL: the address is 0, expected a bigint'],
    ['0x1000', undefined, "EINVAL: the address is '0x1000', expected a bigint"],
    [-1n, undefined, 'ERANGE: the address -0x1 is outside 64 bits'],
    [1n << 64n, undefined, 'ERANGE: the address 0x10000000000000000 is outside 64 bits'],
    [0n, 'fetch', "EINVAL: kind is 'fetch', expected read, write or execute"],
    [0n, null, 'EINVAL: kind is null, expected read, write or execute'],
  ])('refuses %s and %s', (va, kind, message) => {
    for (const call of [machine.for, machine.whyNot]) {
      expect(() => call(va as bigint, kind as 'read')).toThrow(VmError);
      expect(() => call(va as bigint, kind as 'read')).toThrow(message);
    }
  });

  test('goes into the options of a page table, and so does what it gives for an address', () => {
    expect(Object.keys({ ...machine })).toEqual(['format', 'root', 'controls']);
    expect(Object.keys({ ...machine.for(0xffffc90000000000n) })).toEqual(['format', 'root', 'controls']);
    const memory = PhysicalMemory.create({ bytes: 1 << 16 });
    expect(new PageTableReader({ ...machine, memory }).root).toBe(0x1000n);
    expect(new PageTableReader({ ...machine.for(0xffffc90000000000n), memory } as never).root).toBe(0x1000n);
    // An address that nothing translates gives no table.
    expect(() => new PageTableReader({ ...machine.for(0n, 'write'), memory } as never)).toThrow(
      'EINVAL: format is undefined, expected a page-table format',
    );
  });

  test('cannot be changed', () => {
    expect([machine, machine.for(0xffffc90000000000n)].every((one) => Object.isFrozen(one))).toBe(true);
    expect(machine.asid).toBe(7);
  });
});

test('hidden members are read, and not copied', () => {
  const whole = withHidden({ a: 1 }, { b: 2 });
  expect([whole.a, whole.b, { ...whole }]).toEqual([1, 2, { a: 1 }]);
});

test('console.log prints hidden members too', () => {
  expect(inspect(withHidden({ a: 1 }, { b: 2n }))).toBe('{ a: 1, b: 2n }');
});
