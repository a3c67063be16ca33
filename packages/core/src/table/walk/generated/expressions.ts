import type { LevelPlan } from '../../../format/plan.js';
import type { Compare } from '../plain-page.js';

// Expressions of made source, from compiled numbers alone. The words of an address are `high` and `low`, those of an entry `hi` and `lo`.

/** The bits of a frame under a mask, rotated to the left, for an entry. */
export function spread(mask: number, by: number): string {
  if (mask === 0) return '';
  if (by === 0) return ` | ${masked('pfn', mask, mask === -1)}`;
  const up = mask & (-1 << by);
  const down = mask & (-1 >>> (32 - by));
  const parts: string[] = [];
  if (up !== 0) parts.push(up === -1 << by ? `pfn << ${by}` : `pfn << ${by} & ${up}`);
  if (down !== 0)
    parts.push(down === -1 >>> (32 - by) ? `pfn >>> ${32 - by}` : `pfn >>> ${32 - by} & ${down}`);
  return parts.map((part) => ` | ${part}`).join('');
}

/** Words from the start of a table to the entry of an address. */
export function slotOf({ shift, entries }: LevelPlan): string {
  const mask = 2 * (entries - 1);
  const from = shift - 1;
  if (from >= 32) return `(high >>> ${from - 32} & ${mask})`;
  if (shift + Math.log2(entries) <= 32) return `(low >>> ${from} & ${mask})`;
  return `((low >>> ${from} | high << ${32 - from}) & ${mask})`;
}

/** An expression that is 0 for an entry that meets a compare. */
export function testOf(
  { maskLo, maskHi, valueLo, valueHi }: Compare,
  [lo, hi]: readonly string[] = ['lo', 'hi'],
): string {
  const parts = [part(lo, maskLo, valueLo), part(hi, maskHi, valueHi)].filter((text) => text !== '');
  return parts.join(' | ') || '0';
}

function part(word: string | undefined, mask: number, value: number): string {
  if ((mask | value) === 0) return '';
  return value === 0 ? `${word} & ${mask | 0}` : `${word} & ${mask | 0} ^ ${value | 0}`;
}

/** An expression for the bits under two masks, rotated to the right together. */
export function turned(
  maskLo: number,
  maskHi: number,
  by: number,
  [lo, hi]: readonly string[] = ['lo', 'hi'],
): string {
  const parts = [...halves(lo as string, maskLo, by), ...halves(hi as string, maskHi, by)];
  return parts.join(' | ') || '0';
}

/** Both parts of a rotation that can have bits. A shift that drops all that a mask takes away needs no mask. */
function halves(word: string, mask: number, by: number): readonly string[] {
  if (by === 0) return mask === 0 ? [] : [`(${word} & ${mask | 0})`];
  const parts: string[] = [];
  if (mask >>> by !== 0) parts.push(`${masked(word, mask, mask >>> by === -1 >>> by)} >>> ${by}`);
  const up = 32 - by;
  if (mask << up !== 0) parts.push(`${masked(word, mask, mask << up === -1 << up)} << ${up}`);
  return parts;
}

function masked(word: string, mask: number, isFree: boolean): string {
  return isFree ? word : `(${word} & ${mask | 0})`;
}
