import { describe, expect, test } from 'vitest';
import { type BpfObject, Interpreter, link, loadObject } from '../../src/index.js';
import { codeOf, EXIT, set } from '../support/code.js';
import { OBJECTS, objectBytes } from '../support/objects.js';
import { programOf, type WrittenSection, type WrittenSymbol, writeElf } from '../support/write-elf.js';

const CODE = codeOf(set(0, 0), EXIT);
const MAIN: WrittenSymbol = { name: 'main', section: 'syscall', size: 16, type: 2, binding: 1 };
const code = (relocations?: WrittenSection['relocations'], bytes = CODE): WrittenSection => ({
  ...{ name: 'syscall', bytes, flags: 6 },
  ...(relocations === undefined ? {} : { relocations }),
});

describe('an object of clang', () => {
  const list = loadObject(objectBytes('list'));

  test('has its programs, and no subprogram among them', () => {
    expect(list.programs.map(({ name }) => name).sort()).toEqual(['fill', 'reverse', 'sum']);
    const calls = loadObject(objectBytes('calls'));
    expect(calls.programs.map(({ name }) => name).sort()).toEqual(['frames', 'loops', 'missing', 'pointers']);
    expect(calls.functions.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['add', 'multiply', 'depth1', 'depth2', 'depth3', 'depth4', 'depth5', 'depth6']),
    );
  });

  test('has its map, as BTF defines it', () => {
    expect(list.maps).toEqual([
      { name: 'arena', type: 33, maxEntries: 100, flags: 0x400, extra: 0n, keySize: 0, valueSize: 0 },
    ]);
  });

  test('has its license, its externs and its variables', () => {
    expect(list.license).toBe('MIT');
    expect(list.externs).toEqual([{ name: 'bpf_arena_alloc_pages', isWeak: true }]);
    const calls = loadObject(objectBytes('calls'));
    expect(calls.externs).toEqual(
      expect.arrayContaining([
        { name: 'vm_double', isWeak: false },
        { name: 'vm_missing', isWeak: true },
      ]),
    );
    const sectionOf = (object: BpfObject, name: string): string | undefined =>
      object.data[object.variables.find((one) => one.name === name)?.section ?? -1]?.name;
    expect(sectionOf(list, 'head')).toBe('.addr_space.1');
    expect(sectionOf(list, 'list_sum')).toBe('.bss');
    expect(sectionOf(list, 'page_bytes')).toBe('.data');
    expect(sectionOf(calls, 'limit')).toBe('.rodata');
  });

  test('says which of its variables can be written, and which are in the arena', () => {
    const { data } = loadObject(objectBytes('htab'));
    expect(data.map(({ name, isWritable, isArena }) => [name, isWritable, isArena])).toEqual(
      expect.arrayContaining([
        ['.addr_space.1', true, true],
        ['.data', true, false],
        ['.bss', true, false],
      ]),
    );
    expect(loadObject(objectBytes('calls')).data.find(({ name }) => name === '.rodata')?.isWritable).toBe(
      false,
    );
  });

  test.each(OBJECTS)('%s.bpf.o keeps no more than its bytes', (name) => {
    const bytes = objectBytes(name);
    const { code: sections, data } = loadObject(bytes);
    for (const section of [...sections, ...data]) {
      if (section.bytes.length > 0) expect(section.bytes.buffer).toBe(bytes.buffer);
    }
  });
});

/** Changes bytes of a good file. */
function changed(at: number, ...values: number[]): Uint8Array {
  const bytes = programOf(CODE);
  bytes.set(values, at);
  return bytes;
}

const elsewhere = (type: number, flags: number): WrittenSection => ({
  ...{ name: '.other', bytes: new Uint8Array(16), type, flags },
});

describe('a file is refused, with the place and what was expected there', () => {
  test.each([
    ['no bytes', new Uint8Array(0), 'file, byte 0 of the file: expected an ELF header of 64 bytes'],
    ['another file', new Uint8Array(64), 'byte 0 of the file: expected 0x7f "ELF"'],
    ['ELF of 32 bits', changed(4, 1), 'byte 4 of the file: expected ELFCLASS64'],
    ['big-endian', changed(5, 2), 'byte 5 of the file: expected little-endian data'],
    ['an executable', changed(16, 2), 'byte 16 of the file: expected an object of type ET_REL'],
    ['another machine', changed(18, 62), 'byte 18 of the file: the machine is 62, expected 247'],
    [
      'headers of another size',
      changed(58, 32),
      'byte 58 of the file: a section header has 32 bytes, expected 64',
    ],
    ['no headers', changed(60, 0), 'byte 60 of the file: expected section headers, but there are none'],
    ['names in no section', changed(62, 99), 'byte 62 of the file: names are in section 99'],
    ['names in code', changed(62, 1), 'section 1 is no table of texts'],
    ['headers beyond the file', changed(46, 1), 'expected'],
    [
      'code that is no whole number of instructions',
      writeElf([code(undefined, CODE.subarray(0, 12))], []),
      '12 bytes are no whole number of instructions of 8',
    ],
    [
      'a function beyond its section',
      writeElf([code()], [{ ...MAIN, size: 24 }]),
      'the function main has bytes 0 to 24 of the section syscall, which has 16',
    ],
    [
      'a function within an instruction',
      writeElf([code()], [{ ...MAIN, value: 4, size: 8 }]),
      'instructions have 8 bytes',
    ],
    ['functions that overlap', writeElf([code()], [MAIN, { ...MAIN, name: 'other', size: 8 }]), 'overlap'],
    [
      'a relocation beyond its section',
      writeElf([code([{ offset: 16, type: 1, symbol: 'main' }])], [MAIN]),
      'offset 16 is outside of section syscall',
    ],
    [
      'a relocation to an unknown section',
      writeElf(
        [code([{ offset: 0, type: 1, symbol: 'x' }]), elsewhere(1, 2)],
        [MAIN, { name: 'x', section: '.other' }],
      ),
      'byte 0 of the section syscall refers to x in section .other; it can refer to code',
    ],
    [
      'a relocation behind its target',
      writeElf(
        [code([{ offset: 0, type: 1, symbol: 'x' }])],
        [MAIN, { name: 'x', section: 'syscall', value: 17 }],
      ),
      'refers to byte 17 of the section syscall, which has 16',
    ],
    [
      'a relocation into an instruction',
      writeElf(
        [code([{ offset: 0, type: 1, symbol: 'x' }])],
        [MAIN, { name: 'x', section: 'syscall', value: 4 }],
      ),
      'refers to the middle of an instruction',
    ],
    [
      'a relocation to a symbol without a name',
      writeElf([code([{ offset: 0, type: 1, symbol: '' }])], [MAIN, { name: '', section: null }]),
      'a symbol without a name',
    ],
    [
      'maps without BTF',
      programOf(CODE, [{ name: '.maps', bytes: new Uint8Array(16), flags: 3 }]),
      'the section .maps needs the section .BTF, which says what the maps are; compile with -g',
    ],
    [
      'BTF that is none',
      programOf(CODE, [{ name: '.BTF', bytes: new Uint8Array(24) }]),
      'section .BTF, byte',
    ],
    [
      'a name that is too long',
      programOf(CODE, [{ name: 'x'.repeat(512), bytes: new Uint8Array(1) }]),
      'expected a text of at most 511 bytes and a zero byte',
    ],
    [
      'a huge section without bytes',
      programOf(CODE, [{ name: '.bss', bytes: new Uint8Array(0), type: 8, flags: 3, size: 2 ** 40 }]),
      'far more than the file',
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => loadObject(bytes)).toThrow(message);
    expect(() => loadObject(bytes)).toThrow(/^EINVAL/);
  });

  test('what is no Uint8Array', () => {
    expect(() => loadObject([1, 2] as never)).toThrow(
      'EINVAL: the object is no Uint8Array; pass the bytes of the file',
    );
  });

  test('sections that overlap', () => {
    // Both headers name the bytes of the first section.
    const bytes = programOf(CODE, [{ name: '.data', bytes: new Uint8Array(4000), flags: 3 }]);
    const view = new DataView(bytes.buffer);
    const headers = Number(view.getBigUint64(40, true));
    const data = headers + 64 * 2;
    const symbols = headers + 64 * 3;
    view.setBigUint64(symbols + 24, view.getBigUint64(data + 24, true), true);
    view.setBigUint64(symbols + 32, 4000n, true);
    expect(() => loadObject(bytes)).toThrow('sections overlap');
  });
});

test('a section that nobody knows is left alone', () => {
  expect(loadObject(writeElf([code(), elsewhere(1, 2), elsewhere(0x7000_0000, 0)], [MAIN])).data).toEqual([]);
});

describe('control characters of a name are escaped', () => {
  const evil = 'x\u{1b}[2J\n';
  const shown = 'x\\u{1b}[2J\\u{a}';
  const evilMain = { ...MAIN, name: evil };
  const wide = codeOf({ op: 0x18 }, { op: 0 }, EXIT);
  const calling = codeOf({ op: 0x85, src: 1, imm: -1 }, EXIT);
  const messageOf = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  const evilSection = { name: evil, bytes: CODE, flags: 6 };
  const inEvil = { ...evilMain, section: evil };
  test.each([
    ['of a function', () => loadObject(writeElf([code()], [{ ...evilMain, size: 24 }]))],
    ['of two functions', () => loadObject(writeElf([code()], [MAIN, { ...evilMain, size: 8 }]))],
    ['of a section of code', () => loadObject(writeElf([evilSection], [{ ...inEvil, size: 24 }]))],
    [
      'of a section that is referred to',
      () =>
        loadObject(
          writeElf(
            [code([{ offset: 0, type: 1, symbol: 'x' }], wide), { name: evil, bytes: new Uint8Array(8) }],
            [MAIN, { name: 'x', section: evil }],
          ),
        ),
    ],
    [
      'of a kfunc that is missing',
      () =>
        link(
          loadObject(
            writeElf(
              [code([{ offset: 0, type: 10, symbol: evil }], calling)],
              [MAIN, { name: evil, section: null, binding: 1 }],
            ),
          ),
        ),
    ],
    [
      'of a weak kfunc that is called',
      () =>
        new Interpreter(
          link(
            loadObject(
              writeElf(
                [code([{ offset: 0, type: 10, symbol: evil }], calling)],
                [MAIN, { name: evil, section: null, binding: 2 }],
              ),
            ),
          ),
        ).run('main'),
    ],
    [
      'of a program, in the list of programs',
      () => new Interpreter(link(loadObject(writeElf([code()], [evilMain])))).run('main'),
    ],
  ] as [string, () => unknown][])('%s', (_, run) => {
    const message = messageOf(run);
    expect(message).toContain(shown);
    expect(message.split('\n  at ')[0]).not.toMatch(/\p{Cc}/u);
  });
});
