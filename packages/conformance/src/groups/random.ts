import { type Protection, protection } from '@vmarea/core';
import { codeOf, hex, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, firstAddress, Machine, rangeBytes } from '../machine.js';
import { Random } from '../random.js';

/** Random calls against a plain map of pages, at addresses around the boundaries of levels, blocks and runs. */
export const random: Group = {
  name: 'random',
  cases: (subject, { seed, runs }): Case[] =>
    Array.from({ length: runs }, (_, i) => ({
      id: `run=${i}`,
      run: () => play(subject, new Random(seed * 7919 + i)),
    })),
};

/** What the model keeps of a page. */
interface Page {
  readonly pfn: bigint;
  readonly write: boolean;
}

const CALLS = 24;

function play(subject: Checked, pick: Random): void {
  const { format } = subject;
  const machine = new Machine(format, 120);
  const { table, page } = machine;
  const model = new Map<bigint, Page>();
  const places = placesOf(subject);
  const data = dataOf(subject);
  const frameEnd = Number((1n << BigInt(Math.min(format.paBits, 52))) / page);
  const story: string[] = [];
  for (let i = 0; i < CALLS; i++) {
    const { first, pages } = rangeOf(subject, pick, places);
    const va = firstAddress(format) + first * page;
    const bytes = BigInt(pages) * page;
    const covered = Array.from({ length: pages }, (_, at) => first + BigInt(at));
    const name = pick.of([
      'map',
      'map',
      'map',
      'mapRange',
      'unmap',
      'protect',
      'protect',
      'split',
      'collapse',
    ] as const);
    story.push(`${name} ${hex(va)} ${pages}`);
    const isTaken = covered.some((at) => model.has(at));
    const write = pick.below(2) === 1;
    const wanted: Protection = protection({ ...data, write, dirty: write });
    if (name === 'map' || name === 'mapRange') {
      const aligned = pick.below(2) === 1;
      const start = aligned ? Number(first % 4096n) + 4096 : pick.below(Math.min(frameEnd - pages, 2 ** 20));
      const list = Array.from({ length: pages }, (_, at) =>
        name === 'mapRange' || aligned ? start + at : start + ((at * 7) % pages),
      );
      const cap = pick.of([{}, { maxLeafShift: format.pageShift }]);
      const call =
        name === 'map'
          ? () => table.map(va, list, wanted, cap)
          : () => table.mapRange(va, BigInt(start) * page, bytes, wanted, cap);
      same(codeOf(call), isTaken ? 'EBUSY' : 'none', story.join('; '));
      if (!isTaken)
        for (const [n, at] of covered.entries()) model.set(at, { pfn: BigInt(list[n] as number), write });
    } else if (name === 'unmap') {
      table.unmap(va, bytes, { reclaim: pick.below(2) === 1 });
      for (const at of covered) model.delete(at);
    } else if (name === 'protect') {
      table.protect(va, bytes, { write });
      for (const at of covered) {
        const old = model.get(at);
        if (old !== undefined) model.set(at, { ...old, write });
      }
    } else if (name === 'split') table.split(va, bytes);
    else table.collapse(va, bytes);
    judge(subject, machine, model, covered, story);
  }
  // All that is mapped, leaf by leaf: nothing more and nothing less.
  let found = 0n;
  for (const run of table.leaves()) {
    const pages = (1n << BigInt(run.leafShift)) / page;
    found += BigInt(run.count) * pages;
  }
  same(found, BigInt(model.size), `pages in all leaves after ${story.join('; ')}`);
  table.destroy();
  same(machine.frames.stats().allocated, 0, 'frames that are left when the table is destroyed');
}

/** First pages around which something changes: boundaries of leaves and runs, and the ends of the range. */
function placesOf({ format }: Checked): bigint[] {
  const page = 1n << BigInt(format.pageShift);
  const all = rangeBytes(format) / page;
  const places = new Set<bigint>([0n, all]);
  for (const { shift, run } of format.levels) {
    for (const bits of [shift, ...(run === null ? [] : [shift + Math.log2(run.entries)])]) {
      const pages = (1n << BigInt(bits)) / page;
      if (pages <= all) places.add(pages);
      if (3n * pages <= all) places.add(3n * pages);
    }
  }
  return [...places];
}

function rangeOf(
  { format }: Checked,
  pick: Random,
  places: readonly bigint[],
): { first: bigint; pages: number } {
  const all = rangeBytes(format) >> BigInt(format.pageShift);
  const pages = 1 + pick.below(pick.of([3, 20, 70, 600]));
  const at = pick.of(places) - BigInt(pick.below(pages + 2));
  const room = all - BigInt(pages);
  const first = at < 0n ? 0n : at > room ? (room < 0n ? 0n : room) : at;
  return { first, pages: room < 0n ? Number(all) : pages };
}

function judge(
  subject: Checked,
  machine: Machine,
  model: Map<bigint, Page>,
  covered: readonly bigint[],
  story: readonly string[],
): void {
  const { table, page } = machine;
  const base = firstAddress(subject.format);
  const looked = new Set<bigint>(
    covered.length > 40 ? [...covered.slice(0, 20), ...covered.slice(-20)] : covered,
  );
  const [first = 0n] = covered;
  const last = covered[covered.length - 1] ?? 0n;
  if (first > 0n) looked.add(first - 1n);
  if (last + 1n < rangeBytes(subject.format) / page) looked.add(last + 1n);
  for (const at of looked) {
    const expected = model.get(at);
    const va = base + at * page;
    same(
      table.translate(va),
      expected === undefined ? null : expected.pfn * page,
      `${hex(va)} after ${story.join('; ')}`,
    );
    if (expected === undefined) continue;
    same(
      table.walk(va).leaf?.protection.write,
      expected.write,
      `write of ${hex(va)} after ${story.join('; ')}`,
    );
  }
}
