import { count, decimal, UsageError } from '@vmarea/cli';
import { type Plan, tooLarge } from '@vmarea/compare';

/**
 * Refuses plans that need too much memory. Nothing of them has been built yet.
 *
 * @param file - the name of the input.
 * @param limit - bytes that a plan may need.
 * @throws UsageError naming the line of the area that needs most, what the plan needs, and what to do.
 */
export function checkPlans(plans: readonly Plan[], file: string, limit: number): void {
  const found = tooLarge(plans, limit);
  if (found === null) return;
  const { plan, largest, frames, bytes, tableBytes } = found;
  const { configuration, leafPolicy } = plan;
  const size = gib((largest.mapping?.pages ?? 0) * 2 ** configuration.format.pageShift);
  const [what, rule] =
    frames === null
      ? [
          `needs ${gib(bytes)} of memory, ${gib(tableBytes)} of it for page tables`,
          `a run may use ${gib(limit)}, half of this machine's memory`,
        ]
      : [`has ${count(frames.needed)} frames to list`, `a run lists at most ${count(frames.most)}`];
  throw new UsageError(
    `${file}:${largest.request.line}: an area of ${size} is too large for ${configuration.name} with ${leafPolicy} leaves: ` +
      `the layout ${what}; ${rule}. Take the line out, or try --leaves huge or another --format`,
  );
}

function gib(bytes: number): string {
  return `${decimal(bytes / 2 ** 30, bytes < 10 * 2 ** 30 ? 1 : 0)} GiB`;
}
