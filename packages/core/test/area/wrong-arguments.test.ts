import { inspect } from 'node:util';
import { VmError as PublicError } from '@vmarea/core';
import { isFlag, isInteger, type Legal, refusal, thrown, wrongsOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { VmapAreas, VmapBlocks } from '../../src/index.js';

const W = 0xffffc90000000000n;
const TOP = 1n << 64n;
const X86 = { window: { start: W, end: 0xffffe8ffffffffffn }, pageShift: 12 };

/** Passes a wrong value to a call that TypeScript would refuse. */
const as = <T>(value: unknown): T => value as T;

const isAbsent: Legal = (value) => value === undefined;
const isGuard: Legal = (value) =>
  isAbsent(value) ||
  (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) % 4096 === 0);

const areasOf = (more: object = {}): VmapAreas => new VmapAreas({ ...X86, ...more });
const blocks = (): VmapBlocks => new VmapBlocks({ areas: areasOf() });

describe('every value that plain JavaScript can pass', () => {
  test('is taken or refused by name in the options of VmapAreas', () => {
    expect(
      wrongsOf<ConstructorParameters<typeof VmapAreas>[0]>((options) => new VmapAreas(options), X86, {
        window: () => false,
        pageShift: isInteger(12, 16, false),
        guardBytes: isGuard,
        ioremapMaxOrder: isInteger(0, 63),
        cpus: isInteger(1, 128),
        onlineCpus: isInteger(1, 1),
        autoPurge: isFlag,
        early: (value) => isAbsent(value) || (Array.isArray(value) && value.length === 0),
        sink: isAbsent,
      }),
    ).toEqual([]);
  });

  test('is taken or refused by name in the options of reserve', () => {
    expect(
      wrongsOf<NonNullable<Parameters<VmapAreas['reserve']>[1]>>(
        (options) => areasOf().reserve(4096, options),
        {},
        {
          align: (value) => isAbsent(value) || value === 0x1000n,
          guardBytes: isGuard,
          window: isAbsent,
          ioremap: isFlag,
          cpu: isInteger(0, 0),
          mayPurge: isFlag,
          info: (value) => isAbsent(value) || (typeof value === 'object' && value !== null),
        },
      ),
    ).toEqual([]);
  });

  test('is taken or refused by name in the options of VmapBlocks', () => {
    expect(
      wrongsOf<ConstructorParameters<typeof VmapBlocks>[0]>(
        (options) => new VmapBlocks(options),
        { areas: areasOf() },
        { areas: () => false, blockPages: isAbsent },
      ),
    ).toEqual([]);
  });
});

describe('a mistake is refused with EINVAL', () => {
  test.each<[string, () => unknown, string]>([
    [
      'no window',
      () => new VmapAreas(as({ pageShift: 12 })),
      'the options of the window of VmapAreas are null',
    ],
    [
      'a symbol as page shift',
      () => areasOf({ pageShift: Symbol('x') }),
      'pageShift is Symbol(x), expected 12 to 16',
    ],
    [
      'an early area that is none',
      () => areasOf({ early: [{}] }),
      'early[0].address is undefined, expected a bigint',
    ],
    [
      'undefined among early areas',
      () => areasOf({ early: [undefined] }),
      'the members of early[0] are null',
    ],
    [
      'an address that is a number',
      () => areasOf({ early: [{ address: 5, bytes: 4096n }] }),
      'early[0].address is 5',
    ],
    [
      'a member that no early area has',
      () => areasOf({ early: [{ address: W, bytes: 4096n, inf: {} }] }),
      'early[0] has no member `inf`; did you mean `info`?',
    ],
    [
      'a description that is a number',
      () => areasOf({ early: [{ address: W, bytes: 4096n, info: 5 }] }),
      'early[0].info is 5',
    ],
    [
      'a name that no window has',
      () => areasOf().reserve(4096, { window: as({ ...X86.window, ends: 1n }) }),
      'the window of reserve() has no option `ends`; did you mean `end`?',
    ],
    [
      'a guard below 0',
      () => areasOf().reserve(4096, { guardBytes: -1 }),
      'guardBytes is -1, expected a number of bytes, 0 or more',
    ],
    ['a guard that is text', () => areasOf().reserve(4096, { guardBytes: as('x') }), "guardBytes is 'x'"],
    ['offsets that are no list', () => areasOf().reservePercpu(as(null), [4096], 4096n), 'offsets is null'],
    ['sizes that are no list', () => areasOf().reservePercpu([0], as(5), 4096n), 'sizes is 5'],
    ['no alignment', () => areasOf().reservePercpu([0], [4096], as(undefined)), 'align is undefined'],
    [
      'infoOf that is no function',
      () => areasOf().reservePercpu([0], [4096], 4096n, as(5)),
      'infoOf is 5, expected a function',
    ],
    [
      'a description that is none',
      () => areasOf().reservePercpu([0], [4096], 4096n, () => as(5)),
      'infoOf(0) is 5, expected an object',
    ],
    [
      'a range to flush that is null',
      () => areasOf().purge(as(null)),
      'the options of the range to flush are null',
    ],
    [
      'a range to flush that is a number',
      () => areasOf().purge(as(5)),
      'the options of the range to flush are 5',
    ],
    [
      'release that is no function',
      () => areasOf().purge(undefined, as(5)),
      'release is 5, expected a function',
    ],
    ['reclaim that is no function', () => areasOf().addReclaim(as(5)), 'reclaim is 5, expected a function'],
    ['no areas', () => new VmapBlocks(as(undefined)), 'areas is undefined, expected a VmapAreas'],
    ['a processor that is text', () => blocks().reserve(1, as('length')), "cpu is 'length', expected 0 to 0"],
    ['a symbol as processor', () => blocks().reserve(1, as(Symbol('x'))), 'cpu is Symbol(x)'],
    ['cancel without an address', () => blocks().cancel(as(null)), 'the address is null, expected a bigint'],
    ['free without an address', () => blocks().free(as(undefined), 1), 'the address is undefined'],
    ['pagesAt of a number', () => blocks().pagesAt(as(5)), 'the address is 5'],
    [
      'aliases that are null',
      () => blocks().unmapAliases(as(null)),
      'the options of the range to flush are null',
    ],
  ])('%s', (_, call, message) => {
    const error = refusal(call);
    expect(error).toBeInstanceOf(PublicError);
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain(message);
  });
});

describe('an address outside 64 bits is refused with ERANGE, and the message names it', () => {
  test.each<[string, () => unknown, string]>([
    [
      'the start of a window',
      () => areasOf().reserve(4096, { window: { start: TOP, end: TOP + 4096n } }),
      'window.start 0x10000000000000000',
    ],
    [
      'the end of a window',
      () => areasOf().reserve(4096, { window: { start: W, end: TOP + 1n } }),
      'window.end 0x10000000000000001',
    ],
    [
      'the start of a range to flush',
      () => areasOf().purge({ start: TOP, end: TOP }),
      'also.start 0x10000000000000000',
    ],
    [
      'an early area',
      () => areasOf({ early: [{ address: -4096n, bytes: 4096n }] }),
      'early[0].address -0x1000',
    ],
    ['free of a range', () => blocks().free(TOP, 1), 'the address 0x10000000000000000'],
    ['cancel of a range', () => blocks().cancel(-1n), 'the address -0x1'],
    ['pagesAt', () => blocks().pagesAt(TOP), 'the address 0x10000000000000000'],
  ])('%s', (_, call, message) => {
    expect(thrown(call)).toMatch(/^ERANGE: /);
    expect(thrown(call)).toContain(`${message} is outside 64 bits`);
  });
});

test('a size that no window holds is ENOMEM, however large', () => {
  for (const bytes of [1n << 63n, TOP, TOP << 9n])
    expect(thrown(() => areasOf().reserve(bytes))).toMatch(/^ENOMEM/);
  expect(thrown(() => areasOf().reserve(TOP))).toBe(
    'ENOMEM: the size is 0x10000000000000000 bytes, and no window is as large',
  );
});

test('the length of an early area is a number or a bigint', () => {
  const areas = areasOf({ early: [{ address: W, bytes: 4096 }] });
  expect(areas.find(W)?.bytes).toBe(4096n);
});

test('console.log shows areas and blocks', () => {
  const areas = areasOf({ cpus: 2 });
  areas.reserve(4096);
  const made = new VmapBlocks({ areas });
  made.reserve(1);
  made.reserve(65);
  expect(inspect(areas)).toBe(
    'VmapAreas 0xffffc90000000000-0xffffe8ffffffffff, pages of 4 KiB, 2 processors\n  3 areas of 4.3 MiB, 0 bytes wait for a purge, 32.0 TiB free in one piece',
  );
  expect(inspect(made)).toBe('VmapBlocks: 1 block of 1024 pages and 1 larger range');
});
