import { type Level, type PageTableFormat, type Rule, type Shape, ZERO } from '@vmarea/core';

/** A fault planted in a format, to see that the judge finds it. */
export interface Plant {
  readonly name: string;
  /** True for a format that can have the fault; all when absent. */
  readonly isFor?: (format: PageTableFormat) => boolean;
  readonly apply: (format: PageTableFormat) => PageTableFormat;
}

/** A control that the format does not ask. */
export function controlIgnored(name: string, control: string, value: boolean | number): Plant {
  return {
    name,
    apply: (format) => ({
      ...format,
      check: (path, access, controls) => format.check(path, access, { ...controls, [control]: value }),
    }),
  };
}

/** Accessed and dirty bits that the format does not set for an access of this kind. */
export function useForgotten(name: string, kind: 'read' | 'write' | 'execute'): Plant {
  return {
    name,
    apply: (format) => ({
      ...format,
      touch: (entry, level, what, access, controls) =>
        access.kind === kind ? entry : format.touch(entry, level, what, access, controls),
    }),
  };
}

/** Rules that leaves of a level do not have to keep. */
export function rulesDropped(name: string, fromLast: number): Plant {
  return {
    name,
    apply: (format) =>
      withLevel(format, fromLast, (level) => ({
        ...level,
        leaf: level.leaf === null ? null : { ...level.leaf, rules: [] },
      })),
  };
}

/** Entries of all levels whose address may be beyond the output size. */
export function sizeIgnored(name: string): Plant {
  const free = (shape: Shape): Shape => ({
    ...shape,
    rules: shape.rules.filter(({ fault }) => fault !== 'address-size'),
  });
  return {
    name,
    apply: (format) => ({
      ...format,
      levels: format.levels.map((level) => ({
        ...level,
        table: level.table === null ? null : free(level.table),
        leaf: level.leaf === null ? null : free(level.leaf),
      })),
    }),
  };
}

/** Leaves that fault where they are marked as part of a run. */
export function runsRefused(name: string): Plant {
  return {
    name,
    isFor: ({ levels }) => levels.some(({ run }) => run !== null),
    apply: (format) => ({
      ...format,
      levels: format.levels.map((level) => {
        const { leaf, run } = level;
        if (leaf === null || run === null) return level;
        const rule: Rule = { mask: run.set, value: ZERO, must: 'equal', fault: 'reserved' };
        return { ...level, leaf: { ...leaf, rules: [...leaf.rules, rule] } };
      }),
    }),
  };
}

/** Leaves that a level, and those above it, do not have. */
export function leavesMissing(name: string, fromLast: number): Plant {
  return {
    name,
    apply(format) {
      const last = format.levels.length - 1;
      // Below a level with leaves every level has them: those above lose theirs, too.
      const levels = format.levels.map((level, i) =>
        last - i >= fromLast ? { ...level, leaf: null, run: null } : level,
      );
      return { ...format, levels };
    },
  };
}

function withLevel(
  format: PageTableFormat,
  fromLast: number,
  change: (level: Level) => Level,
): PageTableFormat {
  const at = format.levels.length - 1 - fromLast;
  return { ...format, levels: format.levels.map((level, i) => (i === at ? change(level) : level)) };
}
