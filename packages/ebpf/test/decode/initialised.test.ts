import { expect, test } from 'vitest';
import { Flow } from '../../src/decode/flow.js';
import { type Uninitialised, uninitialised } from '../../src/decode/initialised.js';
import { Instructions } from '../../src/isa/instructions.js';
import { codeOf, EXIT, move, type Raw, set } from '../support/code.js';

/** What is known of the registers of two functions that follow each other. */
function analysed(first: readonly Raw[], second: readonly Raw[]): Uninitialised {
  const code = new Instructions(codeOf(...first, ...second));
  const functions = [
    { first: 0, count: first.length, isProgram: true },
    { first: first.length, count: second.length, isProgram: false },
  ];
  return uninitialised(code, functions, new Flow(code, functions, { hasArena: false, externs: [] }));
}

test.each([
  ['a helper', { op: 0x85, imm: 1 }],
  ['a subprogram', { op: 0x85, src: 1, imm: 0 }],
])('a call of %s as the last instruction leads to nothing', (_, call) => {
  const { never, perhaps, isDoubtful } = analysed([set(6, 1), call], [move(0, 6), move(0, 1), EXIT]);
  // r6 of the next function is unwritten, and its r1 is an argument: the caller's registers are not known there.
  expect([...never].slice(2)).toEqual([1 << 6, 0, 0]);
  expect([...perhaps]).toEqual([0, 0, 0, 0, 0]);
  expect(isDoubtful).toBe(false);
});

test('a call in the middle leads to the next instruction, with r6 to r9 as they were', () => {
  const { never, perhaps } = analysed(
    [set(6, 1), { op: 0x85, imm: 1 }, move(0, 6), move(0, 1), EXIT],
    [EXIT],
  );
  expect([...never]).toEqual([0, 0, 0, 1 << 1, 0, 0]);
  expect([...perhaps]).toEqual([0, 0, 0, 0, 0, 0]);
});
