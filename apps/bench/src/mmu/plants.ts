import { type Level, type PageTableFormat, type Rule, type Shape, ZERO } from '@vmarea/core';

/** A fault to plant in a format, which the judge must find. */
export interface Plant {
  readonly name: string;
  /** True for a format that can have the fault; all when absent. */
  readonly isFor?: (format: PageTableFormat) => boolean;
  readonly apply: (format: PageTableFormat) => PageTableFormat;
}

/** The format ignores a control. */
export function controlIgnored(name: string, control: string, value: boolean | number): Plant {
  return {
    name,
    apply: (format) => ({
      ...format,
      check: (path, access, controls) => format.check(path, access, { ...controls, [control]: value }),
    }),
  };
}

/** The format does not set accessed and dirty bits for one kind of access. */
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

/** Leaves of a level need not follow their rules. */
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

/** Addresses in entries may exceed the output size. */
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

/** Leaves of runs fault. */
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

/** A level and those above it have no leaves. */
export function leavesMissing(name: string, fromLast: number): Plant {
  return {
    name,
    apply(format) {
      const last = format.levels.length - 1;
      // Every level below one with leaves must have leaves, so those above lose theirs, too.
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
