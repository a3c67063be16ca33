import { describe, expect, test } from 'vitest';
import { touchBacking } from '../../src/accesses/backings.js';
import { TableBudget } from '../../src/accesses/table-budget.js';
import { touchedBy } from '../support/accesses.js';
import { configurationOf } from '../support/files.js';

describe('the memory for page tables', () => {
  // Pages in 1,000 parts of 1 GiB: a PTE and a PMD table for each, two PUD tables and the root.
  const touched = touchedBy(Array.from({ length: 1000 }, (_, i) => ['L', BigInt(i) << 30n, 1] as const));
  const tables = (2 * 1000 + 2 + 1) * 4096;
  const options = { touched, dense: 50, frames: 'adjacent', seed: 1 } as const;
  const make = (budget: TableBudget): unknown =>
    touchBacking(configurationOf('x86-64'), 'base', { ...options, budget });

  test('is taken by each row, and not exceeded', () => {
    const budget = new TableBudget(2 * tables);
    make(budget);
    make(budget);
    expect(() => make(budget)).toThrow(
      /^E2BIG: x86-64: its page tables take 0\.01 GiB, those of all rows so far 0\.02 GiB; /,
    );
    expect(() => make(budget)).toThrow('simulate fewer formats, leaves or processors');
  });
});
