import { describe, expect, test } from 'vitest';
import {
  AccessCase,
  type AccessRow,
  AccessSimulation,
  AccessSurvey,
  random,
  TableBudget,
  touchBacking,
} from '../../src/index.js';
import { type Access, batchOf, presetOf, simulated } from '../support/accesses.js';
import { configurationOf } from '../support/files.js';

/** Formats with their presets: two share their accesses, one moves addresses, one has other pages. */
const CASES = [
  ['x86-64', 'golden-cove'],
  ['x86-64', 'zen-5'],
  ['riscv64-sv39', 'p870'],
  ['arm64-64k-48', 'neoverse-v2'],
] as const;
const numbers = random(3);
/** Accesses of a program: its text, its heap, and a stack that Sv39 does not translate. */
const ACCESSES: readonly Access[] = Array.from({ length: 5000 }, (_, i) => {
  const base = [0x40_0000n, 0x5555_0000_0000n, 0x7fff_f000_0000n][i % 3] as bigint;
  return [i % 3 === 0 ? 'F' : i % 2 === 0 ? 'L' : 'S', base + BigInt(numbers.next(2 ** 22)), 8];
});

function rowsOf(pieces: readonly (readonly Access[])[]): AccessRow[] {
  const survey = new AccessSurvey();
  for (const piece of pieces) survey.add(batchOf(piece));
  const budget = new TableBudget(2 ** 30);
  const options = { touched: survey.touched, dense: 50, frames: 'adjacent', seed: 1, budget } as const;
  const cases = CASES.map(([format, preset]) => {
    const backing = touchBacking(configurationOf(format), 'base', options);
    if (typeof backing === 'string') throw new Error(backing);
    return new AccessCase(backing, presetOf(preset), { seed: 1, walkCaches: 'none', assumeRuns: false });
  });
  const simulation = new AccessSimulation(cases, survey.accesses);
  for (const piece of pieces) simulation.feed(batchOf(piece));
  expect(simulation.done).toBe(ACCESSES.length);
  const rows = simulation.rows(survey.touched);
  for (const [i, one] of cases.entries()) one.backing.close(rows[i]?.touchedPages ?? 0);
  return rows;
}

describe('a simulation', () => {
  const rows = rowsOf([ACCESSES]);

  test('gives each case what it would give alone', () => {
    for (const [i, [format, preset]] of CASES.entries()) {
      const alone = simulated(ACCESSES, { format, preset: presetOf(preset) });
      expect({ ...rows[i], moments: [] }).toEqual({ ...alone, moments: [] });
    }
  });

  test('does not depend on how its accesses come', () => {
    const pieces = [];
    for (let at = 0; at < ACCESSES.length; ) {
      const next = at + 1 + numbers.next(700);
      pieces.push(ACCESSES.slice(at, next));
      at = next;
    }
    expect(rowsOf(pieces)).toEqual(rows);
  });

  test('notes sixty moments, the last one at the end', () => {
    for (const { moments, accesses, walks } of rows) {
      expect(moments).toHaveLength(60);
      expect(moments.at(-1)).toEqual({ accesses: accesses.total, walks });
    }
  });

  test('counts few accesses and their pages first', () => {
    const few = ACCESSES.slice(0, 7);
    const survey = new AccessSurvey();
    survey.add(batchOf(few));
    expect(survey.accesses).toBe(7);
    expect(survey.touched.count(12)).toBe(new Set(few.map(([, address]) => address >> 12n)).size);
  });
});
