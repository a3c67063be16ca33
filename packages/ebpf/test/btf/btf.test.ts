import { describe, expect, test } from 'vitest';
import { Interpreter, link, loadObject, type MapDefinition, type ProgramFault } from '../../src/index.js';
import { codeOf, EXIT, set } from '../support/code.js';
import { BtfWriter } from '../support/write-btf.js';
import { programOf } from '../support/write-elf.js';

const CODE = codeOf(set(0, 0), EXIT);
const MAPS = { name: '.maps', bytes: new Uint8Array(8), flags: 3 };

function mapsOf(write: (btf: BtfWriter) => void): readonly MapDefinition[] {
  const btf = new BtfWriter();
  write(btf);
  return loadObject(programOf(CODE, [MAPS, { name: '.BTF', bytes: btf.bytes() }])).maps;
}

describe('a map has what its definition says', () => {
  test('as lengths of arrays, and 64 bits as the value of an enumeration', () => {
    const maps = mapsOf((btf) => {
      const number = (value: number): number => btf.numberType(value);
      btf.maps(
        btf.map('arena', {
          ...{ type: number(33), max_entries: number(1 << 20), map_flags: number(0x40400) },
          map_extra: btf.wideType((1n << 44n) | 0x8000_0000n),
        }),
        btf.map('hash', { type: number(1), key_size: number(4), value_size: number(8), unknown: number(3) }),
      );
    });
    expect(maps).toEqual([
      {
        ...{ name: 'arena', type: 33, maxEntries: 1 << 20, flags: 0x40400, keySize: 0, valueSize: 0 },
        extra: (1n << 44n) | 0x8000_0000n,
      },
      { name: 'hash', type: 1, maxEntries: 0, flags: 0, extra: 0n, keySize: 4, valueSize: 8 },
    ]);
  });

  test('behind typedefs, const and volatile', () => {
    const maps = mapsOf((btf) => {
      const plain = btf.numberType(7);
      const type = btf.type(8, 'number', 0, btf.type(10, '', 0, btf.type(9, '', 0, plain)));
      btf.maps(btf.map('m', { type }));
    });
    expect(maps[0]?.type).toBe(7);
  });

  test('and its flag BPF_F_NO_USER_CONV decides about casts, unless the caller does', () => {
    const btf = new BtfWriter();
    btf.maps(btf.map('arena', { type: btf.numberType(33), map_flags: btf.numberType(0x40400) }));
    const object = loadObject(programOf(CODE, [MAPS, { name: '.BTF', bytes: btf.bytes() }]));
    const arena = { userVmStart: 1n << 44n, pages: 4, pageSize: 4096 };
    expect(link(object, { arena }).arena?.noUserConv).toBe(true);
    expect(link(object, { arena: { ...arena, noUserConv: false } }).arena?.noUserConv).toBe(false);
  });
});

describe('types are refused', () => {
  test.each([
    [
      'that refer to themselves',
      (btf: BtfWriter) => btf.maps(btf.type(14, 'x', 0, 2, 1), btf.type(8, 'loop', 0, 2)),
      'EINVAL: BTF type 2 is a chain of more than 32 modifiers',
    ],
    [
      'that are not there',
      (btf: BtfWriter) => btf.maps(btf.type(14, 'x', 0, 99, 1)),
      'EINVAL: there is no BTF type 99, but 3',
    ],
    ['of an unknown kind', (btf: BtfWriter) => btf.type(25, 'x', 0, 0), 'there is no BTF kind 25'],
    [
      'with more members than there are',
      (btf: BtfWriter) => btf.type(4, 'x', 1000, 0),
      'expected 12000 bytes of a type, beyond the types',
    ],
  ] as [string, (btf: BtfWriter) => void, string][])('%s', (_, write, message) => {
    expect(() => mapsOf(write)).toThrow(message);
  });

  test('of more than 64 maps, and of maps with more than 64 members', () => {
    expect(() =>
      mapsOf((btf) => {
        const one = btf.map('m', { type: btf.numberType(1) });
        btf.maps(...Array.from({ length: 65 }, () => one));
      }),
    ).toThrow('E2BIG: there are 65 maps, expected at most 64');
    expect(() =>
      mapsOf((btf) => {
        const type = btf.numberType(1);
        btf.maps(btf.map('m', Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`n${i}`, type]))));
      }),
    ).toThrow('E2BIG: the map m has 65 members, expected at most 64');
  });

  test('of two arenas, when the object is linked', () => {
    const btf = new BtfWriter();
    const type = btf.numberType(33);
    btf.maps(btf.map('one', { type }), btf.map('two', { type }));
    const object = loadObject(programOf(CODE, [MAPS, { name: '.BTF', bytes: btf.bytes() }]));
    expect(() => link(object)).toThrow('EBUSY: the object defines the arenas one and two; a program has one');
  });
});

describe('the lines of the source', () => {
  const object = (lines: (btf: BtfWriter) => Uint8Array): Uint8Array => {
    const btf = new BtfWriter();
    const extension = lines(btf);
    const code = codeOf(set(0, 0), { op: 0xff }, { op: 0xff }, EXIT);
    return programOf(code, [
      { name: '.BTF', bytes: btf.bytes() },
      { name: '.BTF.ext', bytes: extension },
    ]);
  };

  test('begin at an instruction and last until the next one', () => {
    const bytes = object((btf) =>
      btf.lines('syscall', [
        [1, 'a.c', '  x = 1;', 70, 3],
        [2, 'a.c', '  y = 2;', 71, 1023],
      ]),
    );
    try {
      new Interpreter(link(loadObject(bytes))).run('main');
    } catch (error) {
      const { place, message } = error as ProgramFault;
      expect(place).toMatchObject({ pc: 1, source: { file: 'a.c', line: 70, column: 3, text: '  x = 1;' } });
      expect(message.split('\n')[2]).toBe('  a.c:70: x = 1;');
      return;
    }
    throw new Error('it did not end');
  });

  test('need not be there for the first instructions', () => {
    const bytes = object((btf) => btf.lines('syscall', [[2, 'a.c', 'x', 1, 1]]));
    try {
      new Interpreter(link(loadObject(bytes))).run('main');
    } catch (error) {
      expect((error as ProgramFault).place.source).toBeNull();
      return;
    }
    throw new Error('it did not end');
  });

  const faultWith = (file: string, text: string): ProgramFault => {
    const bytes = object((btf) => btf.lines('syscall', [[1, file, text, 7, 1]]));
    try {
      new Interpreter(link(loadObject(bytes))).run('main');
    } catch (error) {
      return error as ProgramFault;
    }
    throw new Error('it did not end');
  };

  test('are cut in a fault where they are long, and so are the names of files', () => {
    const fault = faultWith(`${'f'.repeat(600)}.c`, `${'x'.repeat(499)}äy`);
    expect(fault.name).toBe('ProgramFault');
    expect(fault.place.source).toMatchObject({ file: `${'f'.repeat(500)}…`, text: `${'x'.repeat(499)}…` });
    expect(fault.message).toContain(`  ${'f'.repeat(500)}…:7: ${'x'.repeat(499)}…`);
    expect(faultWith('f'.repeat(500), 'y'.repeat(500)).place.source).toMatchObject({
      ...{ file: 'f'.repeat(500), text: 'y'.repeat(500) },
    });
  });

  test('are printable but for their tabs, and UTF-8', () => {
    const fault = faultWith('ä\u{1b}[2J\n.c', '\tx = 1; // größer\u{7}\nERROR');
    expect(fault.place.source).toMatchObject({
      ...{ file: 'ä\\u{1b}[2J\\u{a}.c', text: '\tx = 1; // größer\\u{7}\\u{a}ERROR' },
    });
    expect(fault.message.split('\n')).toHaveLength(3);
  });

  test.each([1, 2])('are refused when text %i of a line is beyond the table', (word) => {
    const wrong = (btf: BtfWriter): Uint8Array => {
      const bytes = btf.lines('syscall', [[1, 'a.c', 'x', 1, 1]]);
      new DataView(bytes.buffer).setUint32(24 + 12 + word * 4, 1000, true);
      return bytes;
    };
    expect(() => loadObject(object(wrong))).toThrow('there is no text 1000');
  });

  test.each([
    ['out of order', [2, 1], 'the lines of section syscall are not in ascending order'],
    ['twice at one instruction', [1, 1], 'the lines of section syscall are not in ascending order'],
    ['within an instruction', [0.5, 1], '4 is within an instruction'],
  ] as [string, number[], string][])('are refused %s', (_, places, message) => {
    const lines = places.map((at) => [at, 'a.c', 'x', 1, 1] as const);
    expect(() => loadObject(object((btf) => btf.lines('syscall', lines)))).toThrow(message);
  });

  test('are refused when there are more than the section has', () => {
    const cut = (btf: BtfWriter): Uint8Array => {
      const bytes = btf.lines('syscall', [[1, 'a.c', 'x', 1, 1]]);
      new DataView(bytes.buffer).setUint32(24 + 8, 2, true);
      return bytes;
    };
    expect(() => loadObject(object(cut))).toThrow('2 lines are more than there are');
  });
});
