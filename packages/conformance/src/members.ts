import {
  type Controls,
  completeControls,
  type MemoryType,
  type PageTableFormat,
  type Protection,
  protection,
  VmError,
  type Words,
} from '@vmarea/core';

/** What `encode` says, or `null` where the format refuses. Other errors than EINVAL are faults of the format. */
export function encoded(format: PageTableFormat, wanted: Protection, level: number): Words | null {
  try {
    return format.encode(wanted, level);
  } catch (error) {
    if (error instanceof VmError && error.code === 'EINVAL') return null;
    throw error;
  }
}

/** Every combination of the members that a protection has, with each memory type of the format. */
export function combinations(format: PageTableFormat): readonly Protection[] {
  let all = known.get(format);
  if (all === undefined) {
    all = made(format);
    known.set(format, all);
  }
  return all;
}

/** Every case of a cut asks: to make them anew each time took a third of that group. */
const known: WeakMap<PageTableFormat, readonly Protection[]> = new WeakMap();

function made(format: PageTableFormat): readonly Protection[] {
  const all: Protection[] = [];
  const memories: readonly MemoryType[] = format.memoryTypes;
  for (let bits = 0; bits < 128; bits++) {
    const has = (bit: number): boolean => (bits & (1 << bit)) !== 0;
    for (const memory of bits < 4 ? memories : memories.slice(0, 1)) {
      all.push(
        protection({
          ...{ read: !has(6), write: has(0), execute: has(1), user: has(2), global: has(3) },
          ...{ accessed: !has(4), dirty: has(5), memory },
        }),
      );
    }
  }
  return all;
}

/** The entries that a walk reads, root first, where all tables above a leaf have the same entry. */
export function pathTo(
  format: PageTableFormat,
  level: number,
  leaf: Words,
  table: Words = format.tableEntry,
): Words[] {
  return [...Array.from({ length: level }, () => table), leaf];
}

/** The format's controls, and those with one switch the other way, each with its name. */
export function controlsOf(format: PageTableFormat): readonly [string, Controls][] {
  const known = variants.get(format);
  if (known !== undefined) return known;
  const { controls, name } = format;
  const switches = Object.entries(controls).filter(([, value]) => typeof value === 'boolean');
  const all: [string, Controls][] = [
    ['default', controls],
    ...switches.map(([member, value]): [string, Controls] => [
      `${member}=${!value}`,
      completeControls(controls, { [member]: !value }, name),
    ]),
  ];
  variants.set(format, all);
  return all;
}

/** Found once for a format: some groups ask for them at every page. */
const variants = new WeakMap<PageTableFormat, readonly [string, Controls][]>();

/** Levels that have leaves. */
export function leafLevels(format: PageTableFormat): number[] {
  return format.levels.flatMap(({ leaf }, level) => (leaf === null ? [] : [level]));
}

/** Leaves in use, so that no flag of theirs is in the way. */
export function leavesInUse(format: PageTableFormat, level: number): Words[] {
  return combinations(format).flatMap((one) => {
    const leaf = isInUse(one) ? encoded(format, one, level) : null;
    return leaf === null ? [] : [leaf];
  });
}

/** True for a protection of a page that is accessed, and dirty when it can be. */
export function isInUse({ accessed, dirty, write }: Protection): boolean {
  return accessed && dirty === write;
}
