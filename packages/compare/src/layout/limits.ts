import { VmError } from '@vmarea/core';
import { bytesText, count } from '../parts/text.js';
import { framesOf, type Plan } from './plan.js';
import type { PlannedArea } from './planned-area.js';

/** Bytes for each mapped frame: its number in a list, and 1.3 bytes in an allocator with twice as many frames. */
const FRAME_BYTES = 7;
/** Most frames that a rebuild can list. An allocator of twice as many has all numbers of 32 bits. */
const MOST_FRAMES = 2 ** 29;

/** A plan that needs too much memory. */
export interface TooLarge {
  readonly plan: Plan;
  /** Its largest area. */
  readonly largest: PlannedArea;
  /** Frames to list, and the most of them; `null` for a plan that needs more bytes than it may. */
  readonly frames: { readonly needed: number; readonly most: number } | null;
  /** What it needs, and how much of it are page tables. */
  readonly bytes: number;
  readonly tableBytes: number;
}

/**
 * Finds a plan that needs too much memory to be rebuilt. Nothing of it has been built yet.
 *
 * @param limit - bytes that a plan may need.
 * @returns the first such plan, or `null`.
 */
export function tooLarge(plans: readonly Plan[], limit: number): TooLarge | null {
  for (const plan of plans) {
    const needed = framesOf(plan);
    const tableBytes = plan.tableFrames * 2 ** plan.configuration.format.pageShift;
    const bytes = tableBytes + needed * FRAME_BYTES;
    if (needed <= MOST_FRAMES && bytes <= limit) continue;
    const largest = plan.areas.reduce((a, b) => ((b.mapping?.pages ?? 0) > (a.mapping?.pages ?? 0) ? b : a));
    const frames = needed > MOST_FRAMES ? { needed, most: MOST_FRAMES } : null;
    return { plan, largest, frames, bytes, tableBytes };
  }
  return null;
}

/**
 * Refuses plans that need too much memory.
 *
 * @param name - of the text.
 * @throws VmError `E2BIG` with the line of the area that needs most, and what the plan needs.
 */
export function refuseTooLarge(plans: readonly Plan[], name: string, limit: number): void {
  const found = tooLarge(plans, limit);
  if (found === null) return;
  const { plan, largest, frames, bytes, tableBytes } = found;
  const { configuration, leafPolicy } = plan;
  const size = (largest.mapping?.pages ?? 0) * 2 ** configuration.format.pageShift;
  const needs =
    frames === null
      ? `needs ${bytesText(bytes)} of memory, ${bytesText(tableBytes)} of it for page tables, and the limit is ${bytesText(limit)}`
      : `has ${count(frames.needed)} frames to list, and the limit is ${count(frames.most)}`;
  throw new VmError(
    'E2BIG',
    `${name}:${largest.request.line}: an area of ${bytesText(size)} is too large for ${configuration.name} with ${leafPolicy} leaves: the layout ${needs}`,
    { advice: 'take the line out, choose huge leaves or other formats, or raise the limit' },
  );
}
