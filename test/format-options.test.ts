import { readFileSync } from 'node:fs';
import { arm64, arm64FromRegisters, arm64Linux } from '@vmarea/arm64';
import { riscv64, riscv64FromRegisters, riscv64Linux } from '@vmarea/riscv64';
import { x8664, x8664FromRegisters, x8664Linux } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';

const read = (name: string): string =>
  readFileSync(new URL(`../packages/${name}/README.md`, import.meta.url), 'utf8');

/** The options that a call knows: its refusal of another one names them. */
function knownTo(call: (options: never) => unknown): string[] {
  try {
    call({ '?': 1 } as never);
  } catch (error) {
    return (/; it has (.*)$/.exec((error as Error).message)?.[1] ?? '').split(', ');
  }
  throw new Error('an option that nobody knows was taken');
}

describe.each<[string, string, (options: never) => unknown]>([
  ['arm64', 'arm64()', arm64],
  ['arm64', 'arm64Linux()', arm64Linux],
  ['x86-64', 'x8664()', x8664],
  ['x86-64', 'x8664Linux()', x8664Linux],
  ['riscv64', 'riscv64()', riscv64],
  ['riscv64', 'riscv64Linux()', riscv64Linux],
])('packages/%s/README.md', (folder, name, call) => {
  test(`lists the options of ${name} with their defaults`, () => {
    const [, table = ''] = read(folder).split(`Options of \`${name}\`:\n\n`);
    const rows = (table.split('\n\n')[0] ?? '').split('\n').slice(2);
    const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
    expect(cells.map(([, option]) => option)).toEqual(
      knownTo(call)
        .map((option) => `\`${option}\``)
        .sort(byRow(cells)),
    );
    expect(cells.every(([, , what, byDefault]) => what !== '' && byDefault !== '')).toBe(true);
  });
});

test.each<[string, string, (options: never) => unknown]>([
  ['arm64', 'arm64FromRegisters()', arm64FromRegisters],
  ['x86-64', 'x8664FromRegisters()', x8664FromRegisters],
  ['riscv64', 'riscv64FromRegisters()', riscv64FromRegisters],
])('packages/%s/README.md names the members of %s', (folder, name, call) => {
  const paragraph = /^Members of `(.*?)`: (.*?)\n\n/ms.exec(read(folder));
  expect(paragraph?.[1]).toBe(name);
  const named = [...(paragraph?.[2] ?? '').matchAll(/`(\w+)`/g)].map(([, member]) => member);
  expect(named).toEqual(expect.arrayContaining(knownTo(call)));
});

/** The order of a README's rows is its own. */
function byRow(cells: readonly string[][]): (a: string, b: string) => number {
  const at = (option: string): number => cells.findIndex(([, cell]) => cell === option);
  return (a, b) => at(a) - at(b);
}
