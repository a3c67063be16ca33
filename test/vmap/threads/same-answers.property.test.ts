import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CALLS, callOf, nothingMade, outcomeOf } from './calls.js';
import { faultsIn, logCounts } from './inside.js';
import { aloneOf, type Member, type TeamOptions, teamOf } from './team.js';

const step = fc.tuple(fc.nat(CALLS - 1), fc.nat(999), fc.nat(999), fc.nat(7), fc.nat(7));
type Step = readonly [kind: number, a: number, b: number, who: number, cpu: number];

/** Makes calls by turns on the threads of a team, and the same on one thread alone. */
function compare(name: string, threads: number, options: TeamOptions, steps: readonly Step[]): Member[] {
  const team = teamOf(name, threads, options);
  const { kernel: alone, ram } = aloneOf(name, options);
  const made = nothingMade();
  const page = BigInt(team.pageBytes);
  for (const [i, [kind, a, b, who, cpu]] of steps.entries()) {
    const { kernel } = team.members[who % team.members.length] as Member;
    for (const one of [kernel, alone]) one.cpu = cpu % (options.cpus ?? 1);
    const call = callOf(made, kind, a, b, page);
    const expected = outcomeOf(call, alone);
    expect(outcomeOf(call, kernel).text, `step ${i}, kind ${kind}`).toBe(expected.text);
    if (expected.result !== undefined || !/^E/.test(expected.text)) call.done?.(expected.result);
    if (i % 16 === 15) sameEverywhere(team.members, alone.vmallocinfo());
  }
  sameEverywhere(team.members, alone.vmallocinfo());
  for (const one of team.members) {
    expect(one.kernel.stats()).toEqual(alone.stats());
    expect(one.kernel.vmallocinfo({ detail: true })).toBe(alone.vmallocinfo({ detail: true }));
    expect(faultsIn(one.kernel)).toEqual([]);
  }
  expect(team.ram.stats()).toEqual(ram.stats());
  return team.members;
}

function sameEverywhere(members: readonly Member[], text: string): void {
  for (const { kernel } of members) expect(kernel.vmallocinfo()).toBe(text);
}

const OPTIONS: readonly (readonly [string, number, TeamOptions])[] = [
  ['x86-64', 2, {}],
  ['x86-64', 3, { cpus: 4 }],
  ['x86-64', 2, { logBytes: 128 << 10, cpus: 2, release: '2026' }],
  ['arm64-4k-48', 2, { cpus: 4, blockPages: 128 }],
  ['riscv64-sv39', 3, { blockPages: 256 }],
];

describe('threads that call by turns', () => {
  test.each(OPTIONS)('get the answers of one thread: %s, %i threads, %o', (name, threads, options) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 150, size: 'max' }), (steps) => {
        compare(name, threads, options, steps);
      }),
      { numRuns: 12 },
    );
  });

  test('do so over many checkpoints of a small log', () => {
    const steps: Step[] = Array.from({ length: 1200 }, (_, i) => [
      (i * 7919) % CALLS,
      (i * 104729) % 1000,
      (i * 1299709) % 1000,
      i % 2,
      0,
    ]);
    const members = compare('x86-64', 2, { logBytes: 96 << 10 }, steps);
    expect(logCounts((members[0] as Member).kernel).checkpoints).toBeGreaterThan(3);
  });
});
