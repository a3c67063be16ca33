import { count, decimal, UsageError } from '@vmarea/cli';
import { framesOf, type Plan } from './plan.js';

/** Bytes for each mapped frame: its number in a list, and 1.3 bytes in an allocator with twice as many frames. */
const FRAME_BYTES = 7;
/** Most frames that a run can list. An allocator of twice as many has all numbers of 32 bits. */
const MOST_FRAMES = 2 ** 29;

/**
 * Refuses plans that need too much memory. Nothing of them has been built yet.
 *
 * @param file - the name of the input.
 * @param limit - bytes that a plan may need.
 * @throws UsageError naming the line of the area that needs most, what the plan needs, and what to do.
 */
export function checkPlans(plans: readonly Plan[], file: string, limit: number): void {
  for (const plan of plans) {
    const frames = framesOf(plan);
    const tableBytes = plan.tableFrames * 2 ** plan.configuration.format.pageShift;
    const bytes = tableBytes + frames * FRAME_BYTES;
    if (frames > MOST_FRAMES) {
      throw refusal(
        plan,
        file,
        `has ${count(frames)} frames to list`,
        `a run lists at most ${count(MOST_FRAMES)}`,
      );
    }
    if (bytes > limit) {
      const what = `needs ${gib(bytes)} of memory, ${gib(tableBytes)} of it for page tables`;
      throw refusal(plan, file, what, `a run may use ${gib(limit)}, half of this machine's memory`);
    }
  }
}

function refusal(plan: Plan, file: string, what: string, rule: string): UsageError {
  const { configuration, leafPolicy, areas } = plan;
  const largest = areas.reduce((a, b) => ((b.mapping?.pages ?? 0) > (a.mapping?.pages ?? 0) ? b : a));
  const size = gib((largest.mapping?.pages ?? 0) * 2 ** configuration.format.pageShift);
  return new UsageError(
    `${file}:${largest.request.line}: an area of ${size} is too large for ${configuration.name} with ${leafPolicy} leaves: ` +
      `the layout ${what}; ${rule}. Take the line out, or try --leaves huge or another --format`,
  );
}

function gib(bytes: number): string {
  return `${decimal(bytes / 2 ** 30, bytes < 10 * 2 ** 30 ? 1 : 0)} GiB`;
}
