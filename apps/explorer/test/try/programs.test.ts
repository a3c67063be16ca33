import { readdirSync, readFileSync } from 'node:fs';
import * as core from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { PROGRAMS } from '../../src/page/try/programs.js';
import { recorded } from './recorded.js';

const folder = new URL('../../programs/', import.meta.url);
const names = readdirSync(folder).sort();

/** What comments behind `console.log` promise. */
function promised(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text = '']) => text);
}

test('there are ten programs beside that of the README', () => {
  expect(names.length).toBe(11);
});

test('the page offers each program of the folder, once', () => {
  expect(PROGRAMS.map((one) => `${one.name}.js`).sort()).toEqual(names);
  for (const { code, about } of PROGRAMS) expect([code.length > 0, about.length > 0]).toEqual([true, true]);
});

describe.each(names)('the program %s', (name) => {
  const code = readFileSync(new URL(name, folder), 'utf8');

  test('prints what its comments say, and its calls are recorded', async () => {
    const { output, steps, views, error, calls } = await recorded(code);
    expect(output).toEqual(promised(code));
    expect(output.length).toBeGreaterThan(1);
    expect(steps.map(({ number }) => number)).toEqual(Array.from({ length: calls }, (_, i) => i + 1));
    expect(steps.length).toBeGreaterThan(2);
    const lines = code.split('\n');
    for (const { line, call } of steps) {
      const method = /(?:new )?(\w+)\(/.exec(call)?.[1] ?? '';
      expect(lines.slice((line ?? 0) - 1, (line ?? 0) + 5).join('\n')).toContain(method);
    }
    for (const { spaces } of steps) for (const number of spaces) expect(views[number]).toBeDefined();
    if (name === 'wrong-calls.js') {
      expect(error?.message).toMatch(/^EINVAL|^ERANGE|^EFAULT/);
      expect(lines[(error?.line ?? 0) - 1]).toContain('kernel.vfree');
    } else expect(error).toBeNull();
  });

  test('begins with a line that says what it shows', () => {
    expect(code).toMatch(/^\/\/ [A-Z].*: .*\.\n|^\/\/ [A-Z].*\.\n/);
  });
});

describe('a program of somebody', () => {
  test('may have a mistake, which is named with its line', async () => {
    const { error } = await recorded('const a = 1;\n\nnothing(a);\n');
    expect(error).toEqual({ message: 'ReferenceError: nothing is not defined', line: 3 });
  });

  test('may not import what is not there', async () => {
    const { error } = await recorded("import { readFileSync } from 'node:fs';\n");
    expect(error?.message).toMatch(/^there is no package node:fs here: there are @vmarea\/core/);
    expect((await recorded("import fs from 'fs';")).error?.message).toMatch(/^this line is not understood/);
  });

  test.each([
    ["import * as all from '@vmarea/core';", 'Object.keys(all).length', String(Object.keys(core).length)],
    [
      "import { parseVmallocinfo as parse, type Area, hex } from '@vmarea/core';",
      '[typeof parse, hex(5n)]',
      "[ 'function', '0x0000000000000005' ]",
    ],
    [
      "import { Process } from '@vmarea/core';\nimport { splitLeaves } from '@vmarea/core';",
      '[Process.name, typeof splitLeaves]',
      "[ 'Process', 'function' ]",
    ],
    ["import { createArena\n} from '@vmarea/arena';", 'typeof createArena', 'function'],
  ])('gets what it imports: %s', async (imports, value, text) => {
    const { output, error } = await recorded(`${imports}\nconsole.log(${value});`);
    expect(error).toBeNull();
    expect(output).toEqual([text]);
  });

  test('is drawn after each call: areas, text and tables', async () => {
    const { steps, views } = await recorded(`
import { AddressSpace, FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
const memory = PhysicalMemory.create({ bytes: 4 << 20 });
const frames = new FrameAllocator(memory);
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });
const one = kernel.vmalloc(3 * 4096, { caller: 'first' });
kernel.vmalloc(4096);
kernel.vfree(one);
`);
    expect(steps.map(({ call }) => call.split('(')[0])).toEqual([
      'new AddressSpace',
      'kernel.vmalloc',
      'kernel.vmalloc',
      'kernel.vfree',
    ]);
    const kernels = steps.map(({ spaces }) => views[spaces[0] ?? -1]);
    expect(kernels.map((view) => view?.areas.filter(({ isWaiting }) => !isWaiting).length)).toEqual([
      0, 1, 2, 1,
    ]);
    expect(kernels[1]?.vmallocinfo).toContain('first');
    const leaves = (view: (typeof kernels)[number]): number =>
      (view?.tables ?? [])
        .filter(({ level }) => level === 3)
        .flatMap(({ runs }) => runs)
        .reduce((sum, [first, last]) => sum + last - first + 1, 0);
    expect(kernels.map(leaves)).toEqual([0, 3, 4, 1]);
  });
});
