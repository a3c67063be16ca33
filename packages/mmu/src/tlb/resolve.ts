import { optionsOf, VmError } from '@vmarea/core';
import { allDiffer, choice, flag, integer, list, refused, text } from './check-values.js';
import type { AccessKind, CycleRange, TlbCycles, TlbDescription, TlbUnit, WalkCache } from './description.js';
import type { TlbModelOptions } from './options.js';
import { type Assume, resolveArray, resolveShape } from './resolve-array.js';
import type { ArrayShape, Resolved, UnitShape, WalkCacheShape } from './resolved.js';

const DESCRIPTION = [
  'name',
  'title',
  'architecture',
  'source',
  'notes',
  'tlbs',
  'walkCaches',
  'walkers',
  'dropsOnFault',
  'cycles',
] as const;
const UNIT = ['name', 'level', 'kinds', 'arrays'] as const;
const WALK_CACHE = ['name', 'heights', 'entries', 'ways', 'replacement'] as const;
export const KINDS: readonly AccessKind[] = ['read', 'write', 'execute'];

/**
 * Checks a description, and fills in what is unknown.
 *
 * @throws VmError `EINVAL` naming the value and its place.
 */
export function resolve(description: TlbDescription, options: TlbModelOptions['assume'] = {}): Resolved {
  const given = optionsOf(description, DESCRIPTION, 'a TLB description', 'member');
  for (const name of ['name', 'title', 'source'] as const) text(`${name} of a TLB description`, given[name]);
  if (given.architecture !== undefined) text('architecture of a TLB description', given.architecture);
  const assumptions: string[] = [];
  const assume: Assume = (sentence) => assumptions.push(`${sentence}.`);
  const units = unitsOf(given.tlbs, flag('assume.runs', options.runs ?? false), assume);
  if (given.walkers !== null) integer('walkers', given.walkers, 1, 64);
  return {
    units,
    walkCaches: walkCachesOf(given.walkCaches, options.walkCaches, units, assume),
    dropsOnFault: flag('dropsOnFault', given.dropsOnFault),
    cycles: cyclesOf(given.cycles),
    assumptions: Object.freeze(assumptions),
  };
}

function unitsOf(given: unknown, runs: boolean, assume: Assume): UnitShape[] {
  const units = list('tlbs', given, 8, (where, one) => {
    const unit = optionsOf(one as TlbUnit, UNIT, where, 'member');
    const name = text(`name of ${where}`, unit.name);
    const kinds = list(`kinds of ${name}`, unit.kinds, 3, (at, kind) => choice(at, kind, KINDS));
    return {
      name,
      level: choice(`level of ${name}`, unit.level, [1, 2]),
      kinds: allDiffer(`kinds of ${name}`, kinds),
      arrays:
        unit.arrays === null
          ? null
          : list(`arrays of ${name}`, unit.arrays, 8, (at, array) =>
              resolveArray(placeOf(name, at, unit.arrays), array, unit.level as 1 | 2, runs, assume),
            ),
    };
  });
  allDiffer(
    'tlbs',
    units.map(({ name }) => name),
  );
  requirePaths(units);
  return units.map((unit) => ({ ...unit, arrays: unit.arrays ?? twinOf(unit, units, assume) }));
}

/** `L2`, or `array 1 of L1D` where there are several. */
function placeOf(name: string, at: string, arrays: unknown): string {
  return (arrays as unknown[]).length === 1
    ? name
    : `array ${at.slice(at.lastIndexOf('[') + 1, -1)} of ${name}`;
}

/** Each kind of access needs a first level, and has at most one of each. */
function requirePaths(units: readonly { name: string; level: number; kinds: readonly AccessKind[] }[]): void {
  for (const kind of KINDS) {
    for (const level of [1, 2]) {
      const serving = units.filter((unit) => unit.level === level && unit.kinds.includes(kind));
      if (serving.length > 1)
        throw new VmError(
          'EINVAL',
          `${serving.map(({ name }) => name).join(' and ')} both serve '${kind}' at level ${level}`,
          { advice: 'make them one TLB with several arrays' },
        );
      if (level === 1 && serving.length === 0)
        throw new VmError('EINVAL', `no TLB of level 1 serves '${kind}'`, {
          advice: 'add it to the kinds of one',
        });
    }
  }
}

/** The arrays for a TLB that nobody described: those of another one of its level. */
function twinOf(
  unit: { name: string; level: 1 | 2 },
  units: readonly { name: string; level: 1 | 2; arrays: ArrayShape[] | null }[],
  assume: Assume,
): readonly ArrayShape[] {
  const twin = units.find(({ level, arrays }) => level === unit.level && arrays !== null);
  if (twin === undefined)
    throw new VmError(
      'EINVAL',
      `the arrays of ${unit.name} are null, and no other TLB of level ${unit.level} has any`,
    );
  assume(`${unit.name}: nothing is known; modelled as another ${twin.name}`);
  return twin.arrays as ArrayShape[];
}

function walkCachesOf(
  given: unknown,
  assumed: readonly WalkCache[] | undefined,
  units: readonly UnitShape[],
  assume: Assume,
): WalkCacheShape[] {
  const isUnknown = given === null;
  if (isUnknown && assumed === undefined) assume('Walk caches are unknown; modelled as none');
  if (isUnknown && assumed !== undefined)
    assume('Walk caches are unknown; modelled as those that the caller gave');
  const caches = isUnknown ? (assumed ?? []) : given;
  if (Array.isArray(caches) && caches.length === 0) return [];
  const shapes = list('walkCaches', caches, 8, (where, one) => walkCacheOf(where, one, units, assume));
  allDiffer(
    'walkCaches',
    shapes.map(({ name }) => name),
  );
  return shapes;
}

function walkCacheOf(
  where: string,
  given: unknown,
  units: readonly UnitShape[],
  assume: Assume,
): WalkCacheShape {
  const cache = optionsOf(given as WalkCache, WALK_CACHE, where, 'member');
  const name = text(`name of ${where}`, cache.name);
  const heights =
    cache.heights === 'all'
      ? null
      : list(`heights of ${name}`, cache.heights, 4, (at, one) => integer(at, one, 1, 4));
  const { entries } = cache;
  if (typeof entries !== 'object' || entries === null)
    return { name, heights, place: resolveShape(name, cache, assume) };
  const { inside } = optionsOf(entries as { inside: string }, ['inside'], `entries of ${name}`, 'member');
  const place = units.findIndex((unit) => unit.name === inside);
  if (units[place]?.arrays.length !== 1 || units[place].level !== 2)
    throw refused(`entries of ${name} inside`, inside, 'the name of a TLB of level 2 with one array');
  for (const other of ['ways', 'replacement'] as const) {
    if (cache[other] !== undefined)
      throw new VmError('EINVAL', `${other} of ${name} is given, but its entries are inside ${inside}`, {
        advice: 'leave it out',
      });
  }
  return { name, heights, place };
}

function cyclesOf(given: unknown): TlbCycles {
  const cycles = optionsOf(given as TlbCycles, ['l2Hit', 'walk'], 'cycles', 'member');
  return { l2Hit: rangeOf('l2Hit', cycles.l2Hit), walk: rangeOf('walk', cycles.walk) };
}

function rangeOf(name: string, given: unknown): CycleRange | null {
  if (given === null) return null;
  const { low, high } = optionsOf(given as CycleRange, ['low', 'high'], name, 'member');
  for (const value of [low, high])
    if (typeof value !== 'number' || !(value >= 0 && value < 1e6))
      throw refused(name, value, 'a number of cycles');
  if ((low as number) > (high as number)) throw refused(`low of ${name}`, low, `at most its high, ${high}`);
  return { low: low as number, high: high as number };
}
