import type { SeededRandom } from '@vmarea/conformance';
import { expect } from 'vitest';
import type { FrameSource } from '../../src/loops/run-loops.js';
import { codecs } from './codecs.js';
import { placeOf, type Run, runIn } from './places.js';
import { ENTRIES, type World } from './worlds.js';

/** Notes what a case has met, so that the test can say it met everything. */
export type Note = (what: string) => void;

/** Calls one operation on both banks of a world and compares what they answer. */
export type Operation = (world: World, random: SeededRandom, note: Note) => void;

function same<T>(world: World, call: (loops: World['loops']) => T): T {
  const answer = call(world.loops);
  expect(answer).toBe(call(world.twin));
  return answer;
}

function empty({ words, twinWords }: World, { first, count }: Run): void {
  words.fill(0, 2 * first, 2 * (first + count));
  twinWords.fill(0, 2 * first, 2 * (first + count));
}

/** Whether a slot of a run is not free, as the engine asks before it writes. */
function isOccupied(world: World, { first, count }: Run): boolean {
  return same(world, (loops) => loops.firstLive(2 * first, count)) >= 0;
}

/** Frames that fit, many of them next to a power of two. */
function frameBelow(random: SeededRandom, limit: number): number {
  const near = [0, 2 ** 20, 2 ** 31, 2 ** 32, limit].filter((at) => at <= limit);
  const frame = random.oneIn(2)
    ? random.of(near) + random.below(5) - 3
    : (random.word() >>> 0) + 4294967296 * random.below(limit / 4294967296);
  return frame >= 0 && frame < limit ? frame : random.below(Math.min(limit, 1000));
}

/** Calls of one source as the engine makes them: one after another along its frames, sometimes with a walk in between. */
function writeFrames(world: World, random: SeededRandom, note: Note, isNarrow: boolean): void {
  const { name, address, limit: most } = random.of(codecs);
  const limit = random.oneIn(3) ? 1 + random.below(Math.min(most, 4294967295)) : most;
  const calls = random.of([1, 1, 1, 2, 3]);
  const runs = Array.from({ length: calls }, () => runIn(random));
  const skipped = random.oneIn(60) ? 16380 : random.below(20);
  const length = skipped + runs.reduce((sum, { count }) => sum + count, 0) + random.below(3);
  const fits = isNarrow ? Math.min(limit, 4294967296) : limit;
  const list = isNarrow ? new Uint32Array(length) : new Float64Array(length);
  // The first frames are in no call; a long list repeats a short one.
  const distinct = Math.min(length, 700);
  for (let i = 0; i < distinct; i++) list[i] = frameBelow(random, fits);
  for (let i = distinct; i < length; i++) list[i] = list[i % distinct] as number;
  if (random.oneIn(3)) {
    const bad = random.of([limit, limit + 1, 4294967295, ...(isNarrow ? [] : [-1, Number.NaN, 2 ** 53])]);
    list[random.below(length)] = bad;
  }
  const source: FrameSource = {
    narrow: isNarrow ? (list as Uint32Array) : null,
    wide: isNarrow ? null : (list as Float64Array),
    start: 0,
  };
  const lo = random.word() & ~(address.lowLo | address.highLo);
  const hi = random.word() & ~(address.lowHi | address.highHi);
  const template = { lo, hi, address, pfnLimit: limit };
  let from = skipped;
  // Sometimes from the start again, or from the frames that the first call skipped.
  const again = runs.filter(() => random.oneIn(3));
  for (const run of [...runs, ...again]) {
    const { first, count } = run;
    if (from + count > length) from = random.oneIn(2) ? skipped : 0;
    if (random.oneIn(2)) empty(world, run);
    if (random.oneIn(8)) world.words[2 * (first + count - 1)] = world.twinWords[2 * (first + count - 1)] = 1;
    const isNew = random.oneIn(3);
    if (!isNew && isOccupied(world, run)) {
      note('frames: occupied');
    } else {
      const unfit = same(world, (loops) => loops.writeFrames(2 * first, count, source, from, template));
      note(`frames: ${unfit < 0 ? `written, ${name}` : 'does not fit'}`);
    }
    if (from + count > 16384) note('frames: beyond a page of scratch');
    if (random.oneIn(4)) clobberScratch(world);
    from += count;
  }
}

/** A walk uses the scratch page too. */
function clobberScratch({ loops }: World): void {
  // One level whose range takes every address, and in which nothing is a table or a leaf.
  const plan = new Int32Array(98);
  plan.set([1, 0, 2, 12, 31, 1, 1]);
  plan.set([12, 0, 0, 0, 1, 0, 0, 0, 1], 18);
  loops.walks?.walkMany(plan, new Uint32Array(80).fill(0xffff_ffff), new Float64Array(40), null);
}

/** All operations by name. */
export const operations: Readonly<Record<string, Operation>> = {
  writeNarrow: (world, random, note) => writeFrames(world, random, note, true),
  writeWide: (world, random, note) => writeFrames(world, random, note, false),

  writeLinear(world, random, note) {
    const { address, limit } = random.of(codecs);
    const run = runIn(random);
    if (random.oneIn(2)) empty(world, run);
    const step = random.of([1, 1, 16, 512, 2 ** 18, 2 ** 20]);
    const most = Math.max(0, limit - run.count * step);
    const border = 4294967296 * (1 + random.below(3)) - step * random.below(run.count);
    const pfn = random.oneIn(2) && border <= most ? border : Math.min(most, frameBelow(random, limit));
    const isFree = random.oneIn(3) || !isOccupied(world, run);
    const template = { lo: 0x67, hi: -2147483648, address, pfnLimit: limit };
    if (isFree) same(world, (loops) => loops.writeLinear(2 * run.first, run.count, pfn, step, template));
    const pieces = Math.floor((pfn + (run.count - 1) * step) / 4294967296) - Math.floor(pfn / 4294967296);
    note(`linear: ${isFree ? 'written' : 'occupied'}${pieces > 0 ? ', over 2^32' : ''}`);
  },

  clear(world, random, note) {
    const { first, count } = runIn(random);
    const live = same(world, (loops) => loops.clear(2 * first, count));
    note(`clear: ${live === 0 ? 'nothing' : live === count ? 'all' : 'some'}`);
  },

  firstLive(world, random, note) {
    const { first, count } = runIn(random);
    const index = same(world, (loops) => loops.firstLive(2 * first, count));
    note(`firstLive: ${index < 0 ? 'none' : 'one'}`);
  },

  lastLive(world, random, note) {
    const { first, count } = runIn(random);
    const index = same(world, (loops) => loops.lastLive(2 * first, count));
    note(`lastLive: ${index < 0 ? 'none' : 'one'}`);
  },

  countLive(world, random) {
    const { first, count } = runIn(random);
    same(world, (loops) => loops.countLive(2 * first, count));
  },

  matching(world, random, note) {
    const { first, count } = runIn(random);
    const maskLo = random.of([0, 1, -1, 0xff, random.word()]);
    const maskHi = random.of([0, -2147483648, random.word()]);
    // The value of an entry of the run, which others may share; sometimes one that no entry has.
    const { words, twinWords } = world;
    const model = 2 * (first + random.below(count));
    const valueLo = (words[model] as number) & maskLo;
    const valueHi = ((words[model + 1] as number) & maskHi) | (random.oneIn(9) ? ~maskHi : 0);
    if (random.oneIn(2)) {
      for (let i = 2 * first; i < 2 * (first + count); i += random.of([2, 2, 2, 4])) {
        words[i] = twinWords[i] = ((words[i] as number) & ~maskLo) | valueLo;
        words[i + 1] = twinWords[i + 1] = ((words[i + 1] as number) & ~maskHi) | valueHi;
      }
    }
    const matched = same(world, (loops) =>
      loops.matching(2 * first, count, maskLo, maskHi, valueLo, valueHi),
    );
    note(`matching: ${matched === count ? 'all' : 'some'}`);
  },

  change(world, random) {
    const { first, count } = runIn(random);
    const [maskLo, maskHi, valueLo, valueHi] = [random.word(), random.word(), random.word(), random.word()];
    same(world, (loops) => loops.change(2 * first, count, maskLo, maskHi, valueLo, valueHi));
  },

  copy(world, random, note) {
    const { first, count } = runIn(random);
    const to = random.oneIn(2)
      ? Math.min(ENTRIES - count, Math.max(0, first + random.below(20) - 10))
      : placeOf(random, count);
    same(world, (loops) => loops.copy(2 * to, 2 * first, count));
    note(`copy: ${to === first ? 'onto itself' : Math.abs(to - first) < count ? 'overlapping' : 'apart'}`);
  },

  put(world, random) {
    const { first, count } = runIn(random);
    const from = random.below(5);
    const given = Int32Array.from({ length: from + 2 * count + random.below(3) }, () => random.word());
    same(world, (loops) => loops.put(2 * first, given, from, count));
  },

  get(world, random) {
    const { first, count } = runIn(random);
    const from = random.below(5);
    same(world, (loops) => {
      const into = new Int32Array(from + 2 * count);
      loops.get(2 * first, count, into, from);
      return into.join();
    });
  },

  firstDifference(world, random, note) {
    const { first, count } = runIn(random);
    const other = placeOf(random, count);
    world.twin.copy(2 * other, 2 * first, count);
    world.words.set(world.twinWords);
    if (random.oneIn(2)) {
      const at = 2 * (other + random.below(count)) + random.below(2);
      world.words[at] = world.twinWords[at] = (world.words[at] as number) ^ (1 << random.below(32));
    }
    const index = same(world, (loops) => loops.firstDifference(2 * first, 2 * other, count));
    note(`firstDifference: ${index < 0 ? 'none' : 'one'}`);
  },

  single(world, random, note) {
    const at = 2 * placeOf(random, 1);
    for (let i = 0; i < 4; i++) {
      const lo = same(world, (loops) => loops.load64(at));
      const hi = same(world, (loops) => loops.high);
      const expectedLo = random.oneIn(4) ? ~lo : lo;
      const expectedHi = random.oneIn(4) ? ~hi : hi;
      const [nextLo, nextHi] = [random.word(), random.word()];
      const isDone = same(world, (loops) => loops.cas64(at, expectedLo, expectedHi, nextLo, nextHi));
      note(`cas64: ${isDone ? 'done' : 'refused'}`);
      const stored = random.of([0, -1]);
      if (random.oneIn(2)) same(world, (loops) => loops.store64(at, stored, nextHi));
    }
  },
};
