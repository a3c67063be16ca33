import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { afterEach, expect, test, vi } from 'vitest';
import { contextBehind } from '../../../src/table/state/registry.js';
import { x86 } from '../../formats/x86.js';

afterEach(() => vi.unstubAllGlobals());

/** A bank of a size that no other test has: its walk is not made yet. */
function tableIn(frames: number): PageTable {
  const memory = PhysicalMemory.create({ bytes: frames * 4096 });
  return new PageTable({ format: x86(4, 46), memory, frames: new FrameAllocator(memory) });
}

test('a host that compiles no source is asked once, and has the loop', async () => {
  const table = tableIn(77);
  table.mapWords(0xffffc900, 0x1000, 0x99, protection({ write: true }));
  const { plan, root } = contextBehind(table);
  let asked = 0;
  vi.stubGlobal('Function', function refuse() {
    asked++;
    throw new EvalError('Code generation from strings disallowed for this context');
  });
  // A module of its own: it remembers that the host refuses.
  vi.resetModules();
  const { makeTranslator } = await import('../../../src/table/walk/translate.js');
  const { generatedWalk: refusing } = await import('../../../src/table/walk/generated/generated-walk.js');
  const { FlatWalk } = await import('../../../src/table/walk/flat-walk.js');
  for (let i = 0; i < 3; i++) expect(refusing(plan, root.bank, root.word)).toBeNull();
  expect(asked).toBe(1);
  const loop = makeTranslator(contextBehind(table));
  expect(loop.constructor).toBe(FlatWalk);
  expect(loop.translate(0xffffc900, 0x1000)).toBe(0x99);
});

test('any other error of the host is not hidden', () => {
  vi.stubGlobal('Function', function fail() {
    throw new RangeError('no memory');
  });
  expect(() => tableIn(78)).toThrow('no memory');
});

test('source is made once for roots of one format in banks of one size, and of numbers alone', () => {
  const sources: string[] = [];
  const real = Function;
  vi.stubGlobal('Function', function spy(name: string, source: string) {
    sources.push(source);
    return real(name, source);
  });
  for (let i = 0; i < 3; i++) tableIn(79);
  expect(sources).toHaveLength(1);
  const words = new Set((sources[0] as string).match(/[a-zA-Z_']+/g));
  const known =
    "use strict return class GeneratedWalk extends FlatWalk translate high low if else const words this let first at level walk break rootWord lo hi entryOf mapPage pfn flagsLo flagsHi false true record levels live changed second table unmapPage sink null flushed removing noPage noEntry '".split(
      ' ',
    );
  expect([...words].filter((word) => !known.includes(word.replaceAll("'", '')) && word !== "'use")).toEqual(
    [],
  );
});
