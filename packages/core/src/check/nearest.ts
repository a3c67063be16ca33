/** Most letters that are compared. A mistyped name is short, and the work grows with its length. */
const LONGEST = 40;

/**
 * The known name that a mistyped one most likely means. Case does not count.
 *
 * A known name is near in two cases: at most a third of its letters must change, rounded up; or one of the
 * two names begins with the other.
 *
 * @returns `undefined` when none is near.
 * @example
 * ```ts
 * nearest('PAN', ['ha', 'pan']); // 'pan'
 * nearest('tcr_el1', ['sctlr', 'tcr']); // 'tcr'
 * ```
 */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const wanted = name.slice(0, LONGEST).toLowerCase();
  let best: string | undefined;
  let least = Infinity;
  for (const known of names) {
    const other = known.toLowerCase();
    const distance = editsBetween(wanted, other);
    const isNear =
      distance <= Math.ceil(other.length / 3) ||
      (wanted.length > 1 && (other.startsWith(wanted) || wanted.startsWith(other)));
    if (isNear && distance < least) {
      best = known;
      least = distance;
    }
  }
  return best;
}

/** Letters to add, remove or replace (Levenshtein's distance), one row of the table at a time. */
function editsBetween(from: string, to: string): number {
  const row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 0; i < from.length; i++) {
    let diagonal = i;
    row[0] = i + 1;
    for (let j = 0; j < to.length; j++) {
      const above = row[j + 1] as number;
      row[j + 1] = Math.min(above + 1, (row[j] as number) + 1, diagonal + (from[i] === to[j] ? 0 : 1));
      diagonal = above;
    }
  }
  return row[to.length] as number;
}
