import { describe, expect, test } from 'vitest';
import {
  arenaAddress,
  globalBytes,
  Interpreter,
  type LinkOptions,
  link,
  loadObject,
  storeArenaGlobals,
} from '../../src/index.js';
import { ARCHITECTURES, arenaMachine } from '../support/arena-machine.js';
import { codeOf, EXIT, type Raw, set, wide } from '../support/code.js';
import { loaded, objectBytes, u64At } from '../support/objects.js';
import { type WrittenSection, type WrittenSymbol, writeElf } from '../support/write-elf.js';

const START = 1n << 44n;
const arena = { userVmStart: START, pages: 4, pageSize: 4096 };

describe('variables of the arena', () => {
  test.each(Object.keys(ARCHITECTURES))(
    'are in the last pages or the first ones, as the caller says: %s',
    (name) => {
      const { pageSize } = arenaMachine(name);
      for (const [place, page] of [
        ['end', 99],
        ['start', 0],
      ] as const) {
        const { program, machine } = loaded('list', name, { link: { arenaGlobals: place } });
        expect(program.arenaGlobals?.offset).toBe(page * pageSize);
        expect([...machine.mapped.keys()]).toEqual([page]);
        expect(arenaAddress(program, 'head')).toBeGreaterThanOrEqual(START + BigInt(page * pageSize));
      }
    },
  );

  test('take as many pages at the end as they need', () => {
    const bytes = new Uint8Array(4097);
    const object = loadObject(objectOf([], [{ name: '.addr_space.1', bytes, flags: 3 }]));
    expect(link(object, { arena }).arenaGlobals?.offset).toBe(2 * 4096);
    expect(link(object, { arena: { ...arena, pageSize: 16384 } }).arenaGlobals?.offset).toBe(3 * 16384);
  });

  test('have their first values only after these are stored, in pages that are there', () => {
    const machine = arenaMachine('x86-64', { pages: 4 });
    const program = link(loadObject(objectBytes('atomics')), { arena: machine.port, arenaGlobals: 'start' });
    expect(() => storeArenaGlobals(program, machine.port)).toThrow('#PF');
    machine.allocate(1);
    storeArenaGlobals(program, machine.port);
    expect(u64At(machine.read(arenaAddress(program, 'plain64'), 8))).toBe(5n);
    const without = link(loadObject(objectBytes('edges')));
    expect(() => storeArenaGlobals(without, machine.port)).not.toThrow();
  });

  test('larger than the arena are refused', () => {
    const object = loadObject(
      objectOf([], [{ name: '.addr_space.1', bytes: new Uint8Array(16385), flags: 3 }]),
    );
    expect(() => link(object, { arena })).toThrow(
      'E2BIG: variables of 16385 bytes are larger than the arena of 16384',
    );
  });
});

/** An object whose `main` loads the address of a symbol into r0. */
function objectOf(
  symbols: readonly WrittenSymbol[],
  sections: readonly WrittenSection[],
  relocation: { type?: number; offset?: number; symbol?: string } = {},
  addend = 0n,
): Uint8Array {
  const code = codeOf(...wide(0, addend), EXIT);
  const { type = 1, offset = 0, symbol } = relocation;
  return writeElf(
    [
      {
        name: 'syscall',
        bytes: code,
        flags: 6,
        ...(symbol === undefined ? {} : { relocations: [{ offset, type, symbol }] }),
      },
      ...sections,
    ],
    [{ name: 'main', section: 'syscall', size: 24, type: 2, binding: 1 }, ...symbols],
  );
}

const resultOf = (bytes: Uint8Array, options?: LinkOptions): bigint => {
  const program = link(loadObject(bytes), options);
  const machine = arenaMachine('x86-64', { pages: 4 });
  const place = program.arena === null ? {} : { arena: machine.port };
  return new Interpreter(program, { ...place, kfuncs: { f: () => {} } }).run('main').value;
};

describe('an address in the code', () => {
  const variable = { name: 'x', section: '.addr_space.1', value: 8, size: 8 };
  const section = { name: '.addr_space.1', bytes: new Uint8Array(64), flags: 3 };

  test('of a variable of the arena is that of user space', () => {
    const bytes = objectOf([variable], [section], { symbol: 'x' }, 16n);
    expect(resultOf(bytes, { arena })).toBe(START + 3n * 4096n + 24n);
    expect(resultOf(bytes, { arena, arenaGlobals: 'start' })).toBe(START + 24n);
  });

  test('at the end of the arena is refused, and so is one before its start', () => {
    const at = (addend: bigint): string | bigint => {
      try {
        return resultOf(objectOf([variable], [section], { symbol: 'x' }, addend), { arena });
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(at(4087n)).toBe(START + 4n * 4096n - 1n);
    expect(at(4088n)).toBe('ERANGE at 0x0000100000004000: a variable is at 16384 in an arena of 16384 bytes');
    expect(at(-3n * 4096n - 9n)).toMatch(/^ERANGE/);
  });

  test('of other things is in the upper half, which no pointer of user space has', () => {
    const data = { name: '.data', bytes: new Uint8Array(64), flags: 3 };
    const value = resultOf(
      objectOf([{ name: 'x', section: '.data', value: 8, size: 8 }], [data], { symbol: 'x' }, 4n),
    );
    expect(value >> 63n).toBe(1n);
    const extern = objectOf([{ name: 'f', section: null, binding: 2 }], [], { symbol: 'f' });
    expect(resultOf(extern)).toBe(0n);
    expect(resultOf(extern, { kfuncs: ['f'] }) >> 63n).toBe(1n);
    expect(resultOf(objectOf([], [], { symbol: 'main' })) >> 63n).toBe(1n);
  });

  test.each([
    ['of another type', { type: 3, symbol: 'x' }, 'has type 3, which does not fit the instruction'],
    ['at another instruction', { offset: 16, symbol: 'x' }, 'has type 1, which does not fit the instruction'],
    ['within an instruction', { offset: 4, symbol: 'x' }, 'is within an instruction'],
    ['of a call at no call', { type: 10, symbol: 'x' }, 'is at no call'],
  ] as const)('by a relocation %s is refused', (_, relocation, message) => {
    const data = { name: '.data', bytes: new Uint8Array(64), flags: 3 };
    const bytes = objectOf([{ name: 'x', section: '.data', size: 8 }], [data], relocation);
    expect(() => link(loadObject(bytes))).toThrow(message);
  });

  test('within a variable is the one that it names, of code and of data', () => {
    const relocations = [{ offset: 8, type: 2, symbol: 'x' }];
    const data = { name: '.data', bytes: new Uint8Array(64), flags: 3, relocations };
    const symbols = [
      { name: 'x', section: '.addr_space.1', value: 32, size: 8 },
      { name: 'p', section: '.data', value: 8, size: 8 },
    ];
    const program = link(loadObject(objectOf(symbols, [data, section])), { arena });
    expect(u64At(globalBytes(program, 'p'))).toBe(START + 3n * 4096n + 32n);
    const wrong = { ...data, relocations: [{ offset: 8, type: 3, symbol: 'x' }] };
    expect(() => link(loadObject(objectOf(symbols, [wrong, section])), { arena })).toThrow(
      'has type 3, expected 2',
    );
    const late = { ...data, relocations: [{ offset: 60, type: 2, symbol: 'x' }] };
    expect(() => link(loadObject(objectOf(symbols, [late, section])), { arena })).toThrow(
      'is at the end of the section',
    );
  });
});

describe('a call of a function in another section', () => {
  test('goes to the function that its symbol and its immediate name', () => {
    const inner: Raw[] = [set(0, 1), EXIT, set(0, 2), EXIT];
    const calling = (imm: number, symbol: string): bigint => {
      const code = codeOf({ op: 0x85, src: 1, imm }, EXIT);
      const bytes = writeElf(
        [
          { name: '.text', bytes: codeOf(...inner), flags: 6 },
          { name: 'syscall', bytes: code, flags: 6, relocations: [{ offset: 0, type: 10, symbol }] },
        ],
        [
          { name: 'one', section: '.text', size: 16, type: 2 },
          { name: 'two', section: '.text', value: 16, size: 16, type: 2 },
          { name: 'main', section: 'syscall', size: 16, type: 2, binding: 1 },
          { name: 'section', section: '.text', type: 3 },
        ],
      );
      return new Interpreter(link(loadObject(bytes))).run('main').value;
    };
    expect(calling(-1, 'one')).toBe(1n);
    expect(calling(-1, 'two')).toBe(2n);
    expect(calling(1, 'section')).toBe(2n);
  });
});

describe('link refuses', () => {
  const list = loadObject(objectBytes('list'));
  const plain = loadObject(objectBytes('edges'));
  test.each([
    [
      'no arena for an object that defines one',
      () => link(list),
      'EINVAL: the object defines the arena arena, but none is given',
    ],
    [
      'an unknown option',
      () => link(plain, { globals: 'end' } as never),
      'EINVAL: link() has no option `globals`',
    ],
    ['another place of variables', () => link(plain, { arenaGlobals: 'middle' as never }), 'EINVAL'],
    ['an arena that is no object', () => link(plain, { arena: 5 as never }), 'EINVAL: the arena is number'],
    [
      'pages of an odd size',
      () => link(plain, { arena: { ...arena, pageSize: 5000 } }),
      'pageSize is 5000, expected a power of two',
    ],
    ['too many pages', () => link(plain, { arena: { ...arena, pages: 1 << 20, pageSize: 8192 } }), 'E2BIG'],
    [
      'a start of 0',
      () => link(plain, { arena: { ...arena, userVmStart: 0n } }),
      'userVmStart is no multiple of the page size, or 0',
    ],
    [
      'a start within a page',
      () => link(plain, { arena: { ...arena, userVmStart: 1n } }),
      'userVmStart is no multiple of the page size, or 0',
    ],
    [
      'a start below 0',
      () => link(plain, { arena: { ...arena, userVmStart: -4096n } }),
      'EINVAL: userVmStart is -4096n',
    ],
    [
      'an arena that crosses a multiple of 4 GiB',
      () => link(plain, { arena: { ...arena, userVmStart: START - 3n * 4096n } }),
      'ERANGE at 0x00000fffffffd000: an arena of 16384 bytes here crosses a multiple of 4 GiB; let it end at the multiple, or begin there',
    ],
    ['an arena of the kernel', () => link(plain, { arena: { ...arena, userVmStart: 1n << 63n } }), 'ERANGE'],
    ['kfuncs that are no list', () => link(plain, { kfuncs: 'x' as never }), 'kfuncs are no array of names'],
    ['a flag that is none', () => link(plain, { shared: 1 as never }), 'shared is 1'],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(message);
  });
});

test('an arena may end at a multiple of 4 GiB, and may have 4 GiB', () => {
  const plain = loadObject(objectBytes('edges'));
  const userVmStart = START - 4n * 4096n;
  expect(link(plain, { arena: { ...arena, userVmStart } }).arena?.userVmStart).toBe(userVmStart);
  expect(link(plain, { arena: { ...arena, pages: 1 << 20 } }).arena?.pages).toBe(1 << 20);
});

describe('a global variable', () => {
  const program = link(loadObject(objectBytes('list')), { arena: { ...arena, pages: 100 } });
  test('is found by its name', () => {
    expect(globalBytes(program, 'page_bytes')).toEqual(new Uint8Array([0, 16, 0, 0]));
    expect(() => globalBytes(program, 'nothing')).toThrow('EINVAL: there is no global variable nothing');
    expect(() => globalBytes(program, 'head')).toThrow(
      'EINVAL: head is in the arena; take its address by arenaAddress',
    );
    expect(() => arenaAddress(program, 'length')).toThrow('EINVAL: length is not in the arena');
  });
});
