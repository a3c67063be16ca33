import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/index.js';
import { disassemble } from '../../src/isa/disassemble.js';
import { Instructions } from '../../src/isa/instructions.js';
import { codeOf, type Raw, wide } from '../support/code.js';
import { OBJECTS, objectBytes } from '../support/objects.js';

const TEXTS: readonly [text: string, ...code: Raw[]][] = [
  ['r1 += r2', { op: 0x0f, dst: 1, src: 2 }],
  ['w1 += -0x1', { op: 0x04, dst: 1, imm: -1 }],
  ['r1 s/= r2', { op: 0x3f, dst: 1, src: 2, off: 1 }],
  ['w3 s%= 0x7', { op: 0x94, dst: 3, imm: 7, off: 1 }],
  ['r4 s>>= 0x20', { op: 0xc7, dst: 4, imm: 32 }],
  ['r5 = -r5', { op: 0x87, dst: 5 }],
  ['r1 = (s8)r2', { op: 0xbf, dst: 1, src: 2, off: 8 }],
  ['w1 = (s16)w2', { op: 0xbc, dst: 1, src: 2, off: 16 }],
  ['r1 = addr_space_cast(r2, 0x0, 0x1)', { op: 0xbf, dst: 1, src: 2, off: 1, imm: 1 }],
  ['r1 = addr_space_cast(r2, 0x1, 0x0)', { op: 0xbf, dst: 1, src: 2, off: 1, imm: 0x10000 }],
  ['r1 = bswap32 r1', { op: 0xd7, dst: 1, imm: 32 }],
  ['r1 = be16 r1', { op: 0xdc, dst: 1, imm: 16 }],
  ['r1 = le64 r1', { op: 0xd4, dst: 1, imm: 64 }],
  ['r2 = 0x123456789abcdef0 ll', ...wide(2, 0x1234_5678_9abc_def0n)],
  ['r1 = *(u64 *)(r10 - 0x8)', { op: 0x79, dst: 1, src: 10, off: -8 }],
  ['r1 = *(s8 *)(r2 + 0x0)', { op: 0x91, dst: 1, src: 2 }],
  ['*(u16 *)(r1 + 0x4) = w2', { op: 0x6b, dst: 1, src: 2, off: 4 }],
  ['*(u32 *)(r1 - 0x4) = 0x5', { op: 0x62, dst: 1, off: -4, imm: 5 }],
  ['lock *(u64 *)(r1 + 0x0) += r2', { op: 0xdb, dst: 1, src: 2 }],
  ['r2 = atomic_fetch_or((u64 *)(r1 + 0x0), r2)', { op: 0xdb, dst: 1, src: 2, imm: 0x41 }],
  ['w2 = xchg32_32(r1 + 0x8, w2)', { op: 0xc3, dst: 1, src: 2, off: 8, imm: 0xe1 }],
  ['r0 = cmpxchg_64(r1 + 0x0, r0, r2)', { op: 0xdb, dst: 1, src: 2, imm: 0xf1 }],
  ['w1 = load_acquire((u8 *)(r2 + 0x0))', { op: 0xd3, dst: 1, src: 2, imm: 0x100 }],
  ['store_release((u64 *)(r1 - 0x8), r2)', { op: 0xdb, dst: 1, src: 2, off: -8, imm: 0x110 }],
  ['goto +0x3', { op: 0x05, off: 3 }],
  ['gotol -0x10000', { op: 0x06, imm: -65536 }],
  ['may_goto +0x2', { op: 0xe5, off: 2 }],
  ['if r1 == 0x0 goto -0x2', { op: 0x15, dst: 1, off: -2 }],
  ['if w1 s>= w2 goto +0x1', { op: 0x7e, dst: 1, src: 2, off: 1 }],
  ['call 0xb5', { op: 0x85, imm: 181 }],
  ['exit', { op: 0x95 }],
  ['<opcode 0xff, dst 1, src 2, offset -1, imm 0xffffffff>', { op: 0xff, dst: 1, src: 2, off: -1, imm: -1 }],
  ['<opcode 0x18, dst 1, src 0, offset 0, imm 0x0>', { op: 0x18, dst: 1 }],
];

test('an immediate of 64 bits has its sign, as llvm-objdump shows it', () => {
  const text = (value: bigint): string => disassemble(new Instructions(codeOf(...wide(3, value))), 0);
  expect(text(2n ** 63n)).toBe('r3 = -0x8000000000000000 ll');
  expect(text(2n ** 64n - 2n)).toBe('r3 = -0x2 ll');
  expect(text(2n ** 63n - 1n)).toBe('r3 = 0x7fffffffffffffff ll');
});

test.each(TEXTS)('%s', (text, ...code) => {
  expect(disassemble(new Instructions(codeOf(...code)), 0)).toBe(text);
});

const { error } = spawnSync('llvm-objdump-19', ['--version']);

describe(`the committed objects read as llvm-objdump 19 reads them${error === undefined ? '' : ' (skipped: llvm-objdump-19 is missing)'}`, () => {
  test.skipIf(error !== undefined).each(OBJECTS)('%s.bpf.o', (name) => {
    const path = fileURLToPath(new URL(`../../programs/${name}.bpf.o`, import.meta.url));
    const { stdout } = spawnSync('llvm-objdump-19', ['-d', '--mcpu=v4', '--no-show-raw-insn', path], {
      encoding: 'utf8',
    });
    const expected = new Map<string, string>();
    let section = '';
    for (const line of stdout.split('\n')) {
      section = /^Disassembly of section (.*):$/.exec(line)?.[1] ?? section;
      const [, at, text] = /^\s+(\d+):\s+(.*)$/.exec(line) ?? [];
      // What a jump or a call goes to is the reader's addition.
      if (text !== undefined) expected.set(`${section} ${at}`, text.replace(/ <[^<>]*>$/, ''));
    }
    const found = new Map<string, string>();
    let newer = 0;
    for (const { name: home, bytes } of loadObject(objectBytes(name)).code) {
      const code = new Instructions(bytes);
      for (let i = 0; i < code.count; i++) {
        const text = disassemble(code, i);
        // LLVM 19 is older than these two: it takes the first for an addition, and knows nothing of the second.
        if (/load_acquire|store_release/.test(text)) newer++;
        else found.set(`${home} ${i}`, text);
        if (code.opcode(i) === 0x18) i++;
      }
    }
    expect(found.size).toBeGreaterThan(5);
    expect(newer).toBe(name === 'ordered' ? 10 : 0);
    const known = [...expected].filter(([at]) => found.has(at));
    expect(known.length + newer).toBe(expected.size);
    expect([...found].sort()).toEqual(known.sort());
  });
});
