import { type Access, type Controls, dumpTables, type PageTableFormat, PageTableReader } from '@vmarea/core';
import { codeOf, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, Machine } from '../machine.js';
import { leavesInUse, pathTo } from '../members.js';
import { firstAddress } from '../tools/addresses.js';

/** Controls that are given in part, and controls that the format does not know. */
export const controls: Group = {
  name: 'controls',
  cases(subject): Case[] {
    const { format } = subject;
    const names = Object.keys(format.controls);
    const strangers = ['noSuchControl', ...names.map(miswritten)];
    return [
      ...names.map((name) => ({ id: `partial:${name}`, run: () => partial(format, name) })),
      { id: 'none', run: () => none(format) },
      // A format without controls has no use for what it is given, and need not look at it.
      ...(names.length === 0 ? [] : strangers).map((name) => ({
        id: `unknown:${name}`,
        run: () => refused(format, { ...format.controls, [name]: true }),
      })),
      ...names.map((name) => ({
        id: `type:${name}`,
        run: () => refused(format, { ...format.controls, [name]: `${usual(format, name)}` }),
      })),
      { id: 'walk', run: () => walks(subject, strangers) },
    ];
  },
};

const ACCESSES: readonly Access[] = (['read', 'write', 'execute'] as const).flatMap((kind) =>
  [false, true].map((user) => ({ kind, user })),
);

function miswritten(name: string): string {
  return name.toUpperCase() === name ? name.toLowerCase() : name.toUpperCase();
}

function usual({ controls }: PageTableFormat, name: string): unknown {
  return (controls as Record<string, unknown>)[name];
}

/** Another value that a control can have; `null` for text, of which nothing is known. */
function otherValue(value: unknown): boolean | number | bigint | null {
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return (value ^ 1) >>> 0;
  return typeof value === 'bigint' ? value ^ 1n : null;
}

/** Every call of a format that takes controls, by name. */
function answers(format: PageTableFormat, given: Controls): [name: string, call: () => unknown][] {
  const level = format.levels.length - 1;
  const leaves = leavesInUse(format, level);
  const each = (ask: (access: Access, path: ReturnType<typeof pathTo>) => unknown) => (): unknown =>
    leaves.flatMap((leaf) => ACCESSES.map((access) => ask(access, pathTo(format, level, leaf))));
  const code = (access: Access): unknown => format.faultCode({ kind: 'not-present', level }, access, given);
  return [
    ['permissions', each((_, path) => format.permissions(path, given))],
    ['check', each((access, path) => format.check(path, access, given))],
    ['touch', each((access, path) => format.touch(path[level] as never, level, 'leaf', access, given))],
    ['faultCode', each(code)],
    ['checkRoot', each((access) => format.checkRoot?.(access, given))],
  ];
}

/** A control alone means: and all others as the format has them. */
function partial(format: PageTableFormat, name: string): void {
  const other = otherValue(usual(format, name)) ?? usual(format, name);
  const whole = answers(format, { ...format.controls, [name]: other });
  for (const [i, [call, answer]] of answers(format, { [name]: other }).entries()) {
    same(answer(), whole[i]?.[1](), `${call} with ${name} alone, against all controls`);
  }
}

/** No control means: all as the format has them. */
function none(format: PageTableFormat): void {
  const whole = answers(format, format.controls);
  for (const [i, [call, answer]] of answers(format, {}).entries())
    same(answer(), whole[i]?.[1](), `${call} without controls, against all controls`);
}

/** Every call refuses: an answer would be that of other controls than were meant. */
function refused(format: PageTableFormat, given: Controls): void {
  for (const [name, call] of answers(format, given)) {
    if (name === 'checkRoot' && format.checkRoot === undefined) continue;
    same(codeOf(call), 'EINVAL', `what ${name} says to controls that are not right`);
  }
}

/** Walks and dumps take what a table was opened with, and what they are given, and refuse names that they do not know. */
function walks(subject: Checked, strangers: readonly string[]): void {
  const { format } = subject;
  const { memory, table } = new Machine(format);
  const va = firstAddress(format);
  table.map(va, [1], dataOf(subject));
  const open = (given?: Controls) =>
    new PageTableReader({
      format,
      memory,
      root: table.root,
      ...(given === undefined ? {} : { controls: given }),
    });
  for (const [name, value] of Object.entries(format.controls)) {
    const other = otherValue(value);
    if (other === null) continue;
    const opened = open({ [name]: other });
    for (const access of ACCESSES) {
      same(
        opened.walk(va, access),
        table.walk(va, access, { [name]: other }),
        `a walk of a table opened with ${name}=${other}`,
      );
      same(
        opened.walk(va, access, { [name]: value }),
        table.walk(va, access),
        `a walk with ${name}=${value} of a table opened with ${name}=${other}`,
      );
    }
    same(dumpTables(opened), dumpTables(table, { controls: { [name]: other } }), `a dump of that table`);
  }
  for (const name of strangers) {
    const given = { [name]: true };
    same(
      codeOf(() => table.walk(va, undefined, given)),
      'EINVAL',
      `a walk with ${name}`,
    );
    same(
      codeOf(() => dumpTables(table, { controls: given })),
      'EINVAL',
      `a dump with ${name}`,
    );
    same(
      codeOf(() => open(given)),
      'EINVAL',
      `an open with ${name}`,
    );
  }
}
