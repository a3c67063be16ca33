import { type GuestName, loadGuest } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { parseVmallocinfo } from '../../src/area/parse-vmallocinfo.js';
import { formatVmallocinfo } from '../../src/area/vmallocinfo.js';
import type { ParsedVmallocinfoLine } from '../../src/area/vmallocinfo-line.js';
import { printable, VmError } from '../../src/errors.js';

const RANGE = '0xffffcd6580005000-0xffffcd6580007000    8192';

function textOf(guest: string): string {
  return loadGuest(guest as GuestName).vmallocinfoText();
}

function parseOne(line: string): ParsedVmallocinfoLine {
  const lines = parseVmallocinfo(line, 'f');
  expect(lines).toHaveLength(1);
  return lines[0] as ParsedVmallocinfoLine;
}

describe('parseVmallocinfo on real kernels', () => {
  // Counted with awk and grep: lines, sum of the size column, lines with pages= and their sum, lines with phys=.
  test.each([
    [
      'linux-6.12-x86-64',
      { lines: 163, bytes: 4582035456n, counted: 154, pages: 3848, phys: 6, unpurged: 0 },
    ],
    ['linux-6.1-arm64-4k', { lines: 76, bytes: 323575808n, counted: 55, pages: 318, phys: 12, unpurged: 5 }],
    [
      'linux-6.12-arm64-16k',
      { lines: 101, bytes: 337133568n, counted: 57, pages: 213, phys: 12, unpurged: 28 },
    ],
  ])('%s: understands every line, and the lines format to the same bytes', (guest, expected) => {
    const text = textOf(guest);
    const lines = parseVmallocinfo(text);
    expect(formatVmallocinfo(lines)).toBe(text);
    expect(formatVmallocinfo(lines.map((line) => ({ ...line, text: undefined })))).toBe(text);
    const counted = lines.filter(({ info }) => info.pages !== undefined);
    expect({
      lines: lines.length,
      bytes: lines.reduce((sum, { bytes }) => sum + bytes, 0n),
      counted: counted.length,
      pages: counted.reduce((sum, { info }) => sum + (info.pages ?? 0), 0),
      phys: lines.filter(({ info }) => info.phys !== undefined).length,
      unpurged: lines.filter(({ type }) => type === 'unpurged').length,
    }).toEqual(expected);
    expect(lines.flatMap(({ unknown }) => unknown)).toEqual([]);
    expect(lines.filter(({ start }) => start === null)).toEqual([]);
    expect(lines.filter(({ type, info }) => info.caller === undefined && type === 'area')).toEqual([]);
    expect(lines.map(({ line }) => line)).toEqual(Array.from(lines, (_, i) => i + 1));
  });

  // Counted with grep -cE '(^| )WORD( |$)'.
  test.each([
    ['linux-6.12-x86-64', { vmalloc: 155, vmap: 1, ioremap: 6, sparse: 1, user: 1, vpages: 1 }],
    ['linux-6.1-arm64-4k', { vmalloc: 56, vmap: 5, ioremap: 7, 'dma-coherent': 3 }],
    ['linux-6.12-arm64-16k', { vmalloc: 58, vmap: 5, ioremap: 7, 'dma-coherent': 3 }],
  ])('%s: finds as many of each word as grep', (guest, expected) => {
    const seen: Record<string, number> = {};
    for (const { info } of parseVmallocinfo(textOf(guest)))
      for (const word of [...(info.words ?? []), ...(info.vpages === true ? ['vpages'] : [])])
        seen[word] = (seen[word] ?? 0) + 1;
    expect(seen).toEqual(expected);
  });
});

describe('parseVmallocinfo on one line', () => {
  const plain = {
    line: 1,
    type: 'area',
    start: 0xffffcd6580005000n,
    end: 0xffffcd6580007000n,
    bytes: 8192n,
    unknown: [],
  };
  test.each<[string, string, object, object?]>([
    [
      'vmalloc in a module',
      ' foo+0x66/0xa0 [zram] pages=1 vmalloc N0=1',
      { caller: 'foo+0x66/0xa0 [zram]', pages: 1, words: ['vmalloc'], nodes: [{ node: 0, pages: 1 }] },
    ],
    [
      'a module with its build id',
      ' foo+0x66/0xa0 [zram 0123abcd] pages=1 vmalloc',
      { caller: 'foo+0x66/0xa0 [zram 0123abcd]', pages: 1, words: ['vmalloc'] },
    ],
    [
      'several nodes and vpages',
      ' foo+0x1/0x2 pages=1 vmalloc vpages N0=1 N12=0',
      {
        ...{ caller: 'foo+0x1/0x2', pages: 1, words: ['vmalloc'], vpages: true },
        nodes: [
          { node: 0, pages: 1 },
          { node: 12, pages: 0 },
        ],
      },
    ],
    [
      'ioremap',
      ' hpet_enable+0x9e/0x500 phys=0x00000000fed00000 ioremap',
      { caller: 'hpet_enable+0x9e/0x500', phys: 0xfed00000n, words: ['ioremap'] },
    ],
    [
      'the words sparse and user',
      ' a.b+0xb1/0x180 sparse user',
      { caller: 'a.b+0xb1/0x180', words: ['sparse', 'user'] },
    ],
    [
      'caller without symbol',
      ' 0xffffffffc0a0b0c1 vmalloc',
      { caller: '0xffffffffc0a0b0c1', words: ['vmalloc'] },
    ],
    [
      'a second caller',
      ' foo+0x1/0x2 bar+0x1/0x2 vmap',
      { caller: 'foo+0x1/0x2', words: ['vmap'] },
      { unknown: ['bar+0x1/0x2'] },
    ],
    ['no caller', ' pages=1 vmalloc', { pages: 1, words: ['vmalloc'] }],
    ['a range without more', '', {}],
    ['trailing spaces', '   ', {}],
    ['tabs as spaces', '\tfoo+0x1/0x2\tvmap', { caller: 'foo+0x1/0x2', words: ['vmap'] }],
    [
      'unknown words',
      ' foo+0x1/0x2 vmalloc shiny colour=red [late]',
      { caller: 'foo+0x1/0x2 [late]', words: ['vmalloc'] },
      { unknown: ['shiny', 'colour=red'] },
    ],
    ['an unknown word first', ' shiny=1 vmalloc', { words: ['vmalloc'] }, { unknown: ['shiny=1'] }],
    ['a symbol first', ' shiny vmalloc', { caller: 'shiny', words: ['vmalloc'] }],
    ['vm_map_ram', ' vm_map_ram', { isRam: true }, { type: 'vm_map_ram' }],
    ['unpurged', ' unpurged vm_area', {}, { type: 'unpurged' }],
    ['pages=0', ' foo+0x1/0x2 pages=0 vmalloc', { caller: 'foo+0x1/0x2', pages: 0, words: ['vmalloc'] }],
  ])('reads %s', (_, rest, info, others = {}) => {
    const text = RANGE + rest;
    expect(parseOne(text)).toEqual({ ...plain, text, info, ...others });
    expect(formatVmallocinfo([parseOne(text)])).toBe(`${text}\n`);
  });

  test.each([
    ['hashed by %pK', '0x00000000e29ae2fb-0x000000008dae40b7   20480 foo+0x1/0x2 vmap', 20480],
    ['all zeros', '0x0000000000000000-0x0000000000000000    8192 foo+0x1/0x2 vmap', 8192],
    ['not hashed yet', '0x(____ptrval____)-0x(____ptrval____)    8192 foo+0x1/0x2 vmap', 8192],
    ['not hashed yet, with 32 bits', '0x(ptrval)-0x(ptrval)   12288 foo+0x1/0x2 vmap', 12288],
    ['all zeros, with 32 bits', '0x00000000-0x00000000    8192 foo+0x1/0x2 vmap', 8192],
  ])('reads only the size where the addresses are %s', (_, line, size) => {
    const one = parseOne(line);
    expect(one).toMatchObject({
      start: null,
      end: null,
      bytes: BigInt(size),
      info: { caller: 'foo+0x1/0x2' },
    });
    expect(formatVmallocinfo([one])).toBe(`${line}\n`);
    expect(formatVmallocinfo([{ ...one, text: undefined }])).toBe(
      `0x0000000000000000-0x0000000000000000 ${String(size).padStart(7)} foo+0x1/0x2 vmap\n`,
    );
  });

  test('reads 32-bit addresses', () => {
    expect(parseOne('0xf0800000-0xf0802000    8192 foo+0x1/0x2 ioremap phys=0xfed00000')).toMatchObject({
      start: 0xf0800000n,
      info: { phys: 0xfed00000n },
    });
  });

  test('reads every part of a line and writes it again', () => {
    const line =
      '0xffffc90000161000-0xffffc90000164000   12288 zcomp_cpu_up_prepare+0x66/0xa0 [zram 0123abcd] pages=2 ' +
      'phys=0x00000000fed00000 ioremap sparse vmalloc vmap user dma-coherent vpages N0=1 N2=1\n';
    const one = parseOne(line);
    expect(one.info).toEqual({
      caller: 'zcomp_cpu_up_prepare+0x66/0xa0 [zram 0123abcd]',
      pages: 2,
      phys: 0xfed00000n,
      words: ['ioremap', 'sparse', 'vmalloc', 'vmap', 'user', 'dma-coherent'],
      vpages: true,
      nodes: [
        { node: 0, pages: 1 },
        { node: 2, pages: 1 },
      ],
    });
    expect(formatVmallocinfo([one])).toBe(line);
  });
});

describe('parseVmallocinfo on a text', () => {
  const two = [`${RANGE} a+0x1/0x2 vmap`, `${RANGE} b+0x1/0x2 vmap`];
  test.each([
    ['a newline at the end', `${two.join('\n')}\n`],
    ['no newline at the end', two.join('\n')],
    ['CR LF', `${two.join('\r\n')}\r\n`],
    ['CR LF with none at the end', two.join('\r\n')],
    ['empty lines', `\n${two.join('\n\n')}\n\n`],
  ])('accepts %s', (_, text) => {
    expect(parseVmallocinfo(text, 'f').map(({ info }) => info.caller)).toEqual(['a+0x1/0x2', 'b+0x1/0x2']);
  });

  test('reads a line of a megabyte', () => {
    const words = 'x'.repeat(2 ** 20);
    const [line] = parseVmallocinfo(`${RANGE} a+0x1/0x2 ${words} vmap\n`, 'f');
    expect(line?.unknown).toEqual([words]);
    expect(line?.info.words).toEqual(['vmap']);
  });

  test('reads a hundred thousand words on one line', () => {
    const [line] = parseVmallocinfo(`${RANGE} a+0x1/0x2 ${'w '.repeat(100000)}`, 'f');
    expect(line?.unknown).toHaveLength(100000);
  });
});

describe('parseVmallocinfo names file, line, column and what it expected', () => {
  test.each([
    ['hello', "f:1:1: expected the first address: 0x and up to 16 hex digits, found 'hello'"],
    ['0x1', "f:1:4: expected '-' between the addresses, found the end of the line"],
    ['0x1g-0x2 4096', 'f:1:1: expected the first address'],
    ['0x11111111111111111-0x2 4096', 'f:1:1: expected the first address'],
    ['0x1000-2000 4096', "f:1:8: expected the second address: 0x and up to 16 hex digits, found '2000 4096'"],
    ['0x1000-0x2000', 'f:1:14: expected a space before the size, found the end of the line'],
    ['0x1000-0x2000 big', "f:1:15: expected the size in bytes: a decimal number, found 'big'"],
    ['0x1000-0x2000 4096x', "f:1:15: expected the size in bytes: a decimal number, found '4096x'"],
    [
      '0x1000-0x2000 0',
      "f:1:15: expected a size that is a positive multiple of 4096 bytes below 2^64, found '0'",
    ],
    ['0x1000-0x2000 4097', 'f:1:15: expected a size that is a positive multiple of 4096 bytes'],
    ['0x1000-0x2000 -4096', 'f:1:15: expected the size in bytes'],
    ['0x1000-0x2000 99999999999999999999', 'f:1:15: expected a size that is a positive multiple'],
    [`0x1000-0x2000 ${'9'.repeat(21)}`, 'f:1:15: expected a size that is a positive multiple'],
    [
      `${RANGE} a+0x1/0x2 pages=many vmalloc`,
      "f:1:57: expected pages= and a decimal number, found 'pages=many vmalloc'",
    ],
    [`${RANGE} a+0x1/0x2 phys=fed0000g`, 'f:1:57: expected phys= or phys=0x and up to 16 hex digits'],
    [`${RANGE} a+0x1/0x2 phys=${'f'.repeat(17)}`, 'f:1:57: expected phys= or phys=0x'],
    [`${RANGE} a+0x1/0x2 N0=x`, 'f:1:57: expected the pages of one memory node'],
    [`${RANGE} a+0x1/0x2 [open`, "f:1:57: expected a module name that ends in ']', found '[open'"],
    [`${RANGE} a+0x1/0x2 vmap\n\n  ${RANGE}`, 'f:3:1: expected the first address'],
    [`${RANGE}\r\n0x1\r\n`, 'f:2:4: expected'],
  ])('for %j', (text, message) => {
    expect(() => parseVmallocinfo(text, 'f')).toThrow(VmError);
    expect(() => parseVmallocinfo(text, 'f')).toThrow(message);
  });

  test('and shows the beginning of a long line, with control characters escaped', () => {
    const error = (text: string): string => {
      try {
        parseVmallocinfo(text, 'f');
      } catch (caught) {
        return (caught as Error).message;
      }
      return '';
    };
    expect(error('y'.repeat(2 ** 20)).length).toBeLessThan(160);
    expect(error('\u001b[2J\u0007')).toContain('\\u{1b}[2J\\u{7}');
    expect(printable('plain – text')).toBe('plain – text');
  });
});

test.each([
  ['vmap', { words: ['vmap'] }, []],
  ['vmap ', { words: ['vmap'] }, []],
  ['vmap vmap', { caller: 'vmap', words: ['vmap'] }, []],
  ['vmap \t vmap', { caller: 'vmap', words: ['vmap'] }, []],
  ['vmap   pages=1', { caller: 'vmap', pages: 1 }, []],
  ['vmap  phys=0x1000', { caller: 'vmap', phys: 0x1000n }, []],
  ['vmap user', { words: ['vmap', 'user'] }, []],
  ['user vmap', { caller: 'user', words: ['vmap'] }, []],
  ['vmap shiny', { words: ['vmap'] }, ['shiny']],
  ['vpages vmap', { caller: 'vpages', words: ['vmap'] }, []],
])('a first word %j that is a caller or a word of its area, by what follows', (rest, info, unknown) => {
  const [line] = parseVmallocinfo(`0x0000000000001000-0x0000000000003000    8192 ${rest}`, 'f');
  expect(line).toMatchObject({ info, unknown });
  expect(Object.keys(line?.info ?? {}).sort()).toEqual(Object.keys(info).sort());
});
