import { expect } from 'vitest';
import type { TableCall } from './call.js';
import type { Model, ModelEntry } from './model.js';
import type { World } from './world.js';

/** What a call took away: entries that were, and are not any more, or say something else; and tables. */
interface Loss {
  readonly leaves: number;
  readonly ignored: number;
  readonly tables: number;
}

function lossOf(before: Model, after: Model): Loss {
  const loss = { leaves: 0, ignored: 0, tables: 0 };
  for (const [page, entry] of before.entries) {
    const now = after.entries.get(page);
    if (now === entry || (now !== undefined && isSame(now, entry))) continue;
    if (entry.pfn < 0) loss.ignored++;
    else loss.leaves++;
  }
  for (const name of before.tables.keys()) if (!after.tables.has(name)) loss.tables++;
  return loss;
}

function isSame(a: ModelEntry, b: ModelEntry): boolean {
  return a.level === b.level && a.pfn === b.pfn && a.bits === b.bits && a.isMarked === b.isMarked;
}

/** The flushes of a call that went through are as many as the contract says. */
export function expectFlushes(world: World, call: TableCall, after: Model, flushes: number): void {
  if (call.op === 'done') return;
  const { leaves, ignored, tables } = lossOf(world.model, after);
  const isDeferred = 'batch' in call && call.batch >= 0;
  const why = `flushes of ${call.op} that took ${leaves} leaves and ${tables} tables`;
  if (leaves + tables === 0) {
    // Nothing that a cache could hold has changed.
    if (ignored === 0) expect(flushes, why).toBe(0);
    return;
  }
  if (call.op === 'unmap' && after.entries.size + leaves + ignored === world.model.entries.size) {
    // Nothing was cut: one flush, or one that is owed. Halves of a range that has a hole are two.
    expect(flushes, why).toBe(isDeferred ? 0 : 1);
  }
  if (!isDeferred) expect(flushes, why).toBeGreaterThan(0);
  else if (world.geometry.shape.architecture === 'riscv64') expect(flushes, why).toBe(0);
}
