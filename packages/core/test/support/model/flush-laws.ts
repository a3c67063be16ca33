import { expect } from 'vitest';
import type { Begun } from './begun.js';
import type { TableCall } from './call.js';
import type { Model, ModelEntry } from './model.js';
import type { World } from './world.js';

/** What a call removed or changed: entries and tables. */
interface Loss {
  leaves: number;
  ignored: number;
  tables: number;
  /** First page of the lowest and of the highest. */
  from: number;
  to: number;
}

function lossOf(before: Model, after: Model): Loss {
  const loss: Loss = { leaves: 0, ignored: 0, tables: 0, from: Number.POSITIVE_INFINITY, to: -1 };
  const widen = (page: number): void => {
    loss.from = Math.min(loss.from, page);
    loss.to = Math.max(loss.to, page);
  };
  for (const [page, entry] of before.entries) {
    const now = after.entries.get(page);
    if (now === entry || (now !== undefined && isSame(now, entry))) continue;
    if (entry.pfn < 0) loss.ignored++;
    else {
      loss.leaves++;
      widen(page);
    }
  }
  for (const name of before.tables.keys()) {
    if (after.tables.has(name)) continue;
    loss.tables++;
    widen(Number(name.split(':')[1]));
  }
  return loss;
}

function isSame(a: ModelEntry, b: ModelEntry): boolean {
  return a.level === b.level && a.pfn === b.pfn && a.bits === b.bits && a.isMarked === b.isMarked;
}

/**
 * A call that succeeds flushes once what it removed, or leaves that to its batch; across the canonical hole it flushes twice. A
 * deferred call may flush where the architecture needs a break, and then once as well.
 */
export function expectFlushes(
  world: World,
  call: TableCall,
  { expected, owed }: Begun,
  flushes: number,
): void {
  if (call.op === 'done') {
    expect(flushes, 'flushes of done').toBe(owed[call.batch]);
    return;
  }
  const { after } = expected;
  const { leaves, ignored, tables, from, to } = lossOf(world.model, after);
  const isDeferred = 'batch' in call && call.batch >= 0;
  const why = `flushes of ${call.op} that took ${leaves} leaves and ${tables} tables`;
  if (leaves + tables === 0) {
    // Nothing that a cache can hold has changed; unmap does not look at the entries that it clears.
    if (ignored > 0 && call.op === 'unmap') expect([0, 1], why).toContain(flushes);
    else expect(flushes, why).toBe(0);
    return;
  }
  const { shape, pages } = world.geometry;
  const once = shape.upper === 'sign' && from < pages / 2 && to >= pages / 2 ? 2 : 1;
  if (!isDeferred) {
    expect(flushes, why).toBe(once);
    return;
  }
  // Nothing was split: everything is owed.
  const isPlain = call.op === 'unmap' && after.entries.size + leaves + ignored === world.model.entries.size;
  if (isPlain || shape.architecture !== 'arm64') expect(flushes, why).toBe(0);
  else expect([0, once], why).toContain(flushes);
}
