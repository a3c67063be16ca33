import type { SeededRandom } from '@vmarea/conformance';
import { expect } from 'vitest';
import { addressHi, addressLo, pfnOf } from '../../src/address-codec.js';
import { type FastMatch, type LevelPlan, type Plan, planOf } from '../../src/format/plan.js';
import { preparePlan } from '../../src/loops/prepare-plan.js';
import type { WalkLoops } from '../../src/loops/run-loops.js';
import * as At from '../../src/loops/walk-layout.js';
import { FlatFinder } from '../../src/table/walk/flat-finder.js';
import { arm64 } from '../formats/arm64.js';
import { wideRoot } from '../formats/index.js';
import { riscv64 } from '../formats/riscv64.js';
import { x86 } from '../formats/x86.js';
import type { Note } from './operations.js';
import { walkMany as modelWalks } from './walk-many.js';
import { agree, type World } from './worlds.js';

const plans: readonly Plan[] = [
  x86(4, 46),
  x86(4, 52),
  x86(5, 52),
  arm64({ granule: 4, vaBits: 48 }),
  arm64({ granule: 4, vaBits: 52, large: true }),
  arm64({ granule: 4, vaBits: 39, half: 'ttbr0' }),
  arm64({ granule: 4, vaBits: 25 }),
  arm64({ granule: 4, vaBits: 16, half: 'ttbr0' }),
  arm64({ granule: 16, vaBits: 47 }),
  arm64({ granule: 64, vaBits: 52, large: true }),
  riscv64(3),
  riscv64(4),
  riscv64(5),
  wideRoot(),
  // Two levels are all of it, so the bits above are in the key of a batch's cache.
  { ...arm64({ granule: 16, vaBits: 36 }), range: { bits: 36, upper: 'sign' as const } },
].map(planOf);

/** Bytes of the bank that tables are walked in: 20 frames of 64 KiB. */
export const WALK_BYTES: number = 20 * 65536;

/** Where a bank is, in frames, and which of its entries are used: the same few slots of every table. */
interface Ground {
  readonly plan: Plan;
  readonly base: number;
  readonly frames: number;
  readonly window: number;
  readonly mayBeOther: number;
  readonly slots: readonly number[];
}

/** Random tables at a random place, many random addresses. */
export function walkMany(world: World, random: SeededRandom, note: Note): void {
  const plan = random.of(plans);
  const frames = WALK_BYTES / 2 ** plan.pageShift;
  const base = random.of([0, 5, 0x40003, 0x7fffe00, 0xffe00, 0xffff0000, 2 ** 33]) % (plan.pfnLimit - frames);
  let window = 0;
  while (Math.floor(base / 2 ** window) !== Math.floor((base + frames - 1) / 2 ** window)) window++;
  const slots = [0, 1, 2, 3, 5, 2 ** (plan.pageShift - 3) - 1, random.below(512), random.below(512)];
  const ground: Ground = { plan, base, frames, window, mayBeOther: random.below(2), slots };

  const root = random.below(Math.max(1, frames - 16));
  fillTables(world, random, ground, root);
  const words = walkPlan(ground, root);
  // From 8 on: fewer are not walked in one call.
  const count = random.oneIn(30) ? 3700 + random.below(200) : 8 + random.below(120);
  const addresses = new Uint32Array(2 * count);
  for (let i = 0; i < addresses.length; i += 2) {
    const address = addressIn(random, ground);
    addresses[i] = Number(address & 0xffff_ffffn);
    addresses[i + 1] = Number(address >> 32n);
  }

  const found = { frames: new Float64Array(count + 1).fill(7), shifts: new Uint8Array(count + 1).fill(7) };
  const expected = { frames: new Float64Array(count + 1).fill(7), shifts: new Uint8Array(count + 1).fill(7) };
  const withShifts = !random.oneIn(4);
  const { walks } = world.loops;
  modelWalks(world.twinWords, words, addresses, expected.frames, withShifts ? expected.shifts : null);
  if (walks === null) return;
  const missing = expected.frames.subarray(0, count).filter((frame) => frame < 0).length;
  expect(walks.walkMany(words, addresses, found.frames, withShifts ? found.shifts : null)).toBe(missing);
  expect(found).toEqual(expected);
  findEntries(world, walks, ground, words, addresses, note);
  expect(agree(world)).toBe(true);
  for (let i = 0; i < count; i++) {
    const frame = expected.frames[i] as number;
    const { last } = plan;
    const leaf = plan.levels.findIndex(({ shift }) => shift === expected.shifts[i]);
    if (withShifts && leaf >= 0) note(`walk: leaf ${last - leaf} above the last of ${last + 1}`);
    note(
      `walk: ${frame >= 4294967296 ? 'high frame' : frame >= 0 ? 'frame' : frame === -1 ? 'hole' : 'unknown'}`,
    );
  }
}

/** Walks to the last level's entry of each address, by bigints, and holds what the finder tells against it. */
function findEntries(
  { loops, twinWords }: World,
  walks: WalkLoops,
  { plan, base, frames }: Ground,
  words: Int32Array,
  addresses: Uint32Array,
  note: Note,
): void {
  const bank = {
    base: BigInt(base) << BigInt(plan.pageShift),
    bytes: WALK_BYTES,
    words: twinWords,
    writable: true,
    linear: true,
  };
  const flatBank = { ...bank, loops, atomic: null, wordOf: () => -1, wordAt: () => -1 };
  const flat = FlatFinder.fits(plan, flatBank)
    ? new FlatFinder(plan, flatBank, words[At.ROOT] as number)
    : null;
  const finder = walks.finder(words);
  const entryWords = new BigUint64Array(twinWords.buffer);
  const { levels, last, pageShift } = plan;
  const perFrame = 2 ** (pageShift - 3);
  for (let i = 0; i < addresses.length; i += 2) {
    const [lo, hi] = [addresses[i] as number, addresses[i + 1] as number];
    const va = (BigInt(hi) << 32n) | BigInt(lo);
    let at = (words[At.ROOT] as number) / 2;
    let expected = isTranslated(plan, va) ? 0 : -1;
    for (let index = 0; expected === 0; index++) {
      at += Number(
        (va >> BigInt((levels[index] as LevelPlan).shift)) & BigInt((levels[index] as LevelPlan).entries - 1),
      );
      if (index === last) break;
      const entry = entryWords[at] as bigint;
      const [entryLo, entryHi] = [Number(BigInt.asIntN(32, entry)), Number(BigInt.asIntN(32, entry >> 32n))];
      const { maskLo, maskHi, valueLo, valueHi } = (levels[index] as LevelPlan).table;
      const pfn = pfnOf(plan.address, entryLo, entryHi);
      const isInside = pfn >= base && pfn < base + frames;
      const isTable = (((entryLo & maskLo) ^ valueLo) | ((entryHi & maskHi) ^ valueHi)) === 0;
      if (!isTable || !isInside) expected = -1;
      at = (pfn - base) * perFrame;
    }
    for (const one of [finder, flat]) {
      if (one === null) continue;
      const told: number = one.entryOf(hi, lo | 0);
      if (told !== (expected < 0 ? -1 : 2 * at))
        expect.fail(`${plan.format.name}, 0x${va.toString(16)}: ${told}`);
      note(`${one === flat ? 'flat' : 'finder'}: ${told < 0 ? 'none' : 'entry'}, ${last + 1} levels`);
    }
  }
}

/** Fills the used slots: frames take the part of each level in turn. */
function fillTables({ words, twinWords }: World, random: SeededRandom, ground: Ground, root: number): void {
  const { plan, frames, slots } = ground;
  const entriesPerFrame = 2 ** (plan.pageShift - 3);
  // Frames from 40 on are in no table: few enough to fill, enough for each level.
  const used = Array.from({ length: Math.min(frames, 40) }, (_, i) => i);
  const rootFrames = 2 ** plan.rootOrder;
  for (const frame of [...used, ...used.map((i) => root + (i % rootFrames))]) {
    const isRoot = frame >= root && frame < root + rootFrames;
    const level = plan.levels[isRoot ? 0 : 1 + (frame % Math.max(1, plan.last))] ?? plan.levels[0];
    for (const slot of slots) {
      const at = 2 * (frame * entriesPerFrame + slot);
      const [lo, hi] = entryOf(random, ground, level as LevelPlan);
      words[at] = twinWords[at] = lo;
      words[at + 1] = twinWords[at + 1] = hi;
    }
  }
}

/** Mostly a table or a leaf; also nothing, anything, tables outside the bank, and entries with one wrong bit. */
function entryOf(random: SeededRandom, ground: Ground, level: LevelPlan): readonly [number, number] {
  const { plan, base, frames } = ground;
  const flip = random.oneIn(12) ? 1 << random.below(32) : 0;
  if (random.oneIn(10)) return random.of([[0, 0] as const, [random.word(), random.word()] as const]);
  const isTable = level.index < plan.last && !random.oneIn(4);
  const { maskLo, maskHi, valueLo, valueHi } = isTable ? level.table : level.leaf;
  const below = (level.index + 1) % plan.levels.length;
  const step = Math.max(1, plan.last);
  const target = base + Math.min(frames, 40) - 1 - random.below(Math.min(frames, 40) - step);
  // A table of the right level, mostly.
  const table = random.oneIn(8)
    ? random.of([base - 1, base + frames, base + 2 ** 20, 0])
    : target - ((((target - base) % step) - (below - 1) + step) % step);
  const pfn = isTable ? Math.max(0, table) : random.below(plan.pfnLimit);
  const low = pfn | 0;
  const high = Math.floor(pfn / 4294967296);
  const rest = isTable ? 0 : random.oneIn(3) ? random.word() : 0;
  const { address } = plan;
  const lo = (addressLo(address, low, high) | (rest & ~(address.lowLo | address.highLo))) & ~maskLo;
  const hi = (addressHi(address, low, high) | (rest & ~(address.lowHi | address.highHi))) & ~maskHi;
  return random.oneIn(2) ? [(lo | valueLo) ^ flip, hi | valueHi] : [lo | valueLo, (hi | valueHi) ^ flip];
}

/** Mostly an address of used slots, near that of others; now and then one outside the range. */
function addressIn(random: SeededRandom, { plan, slots }: Ground): bigint {
  const { bits, upper } = plan.format.range;
  let address = BigInt(random.below(2 ** plan.pageShift));
  for (const { shift, entries } of plan.levels) {
    // Upper levels agree more often: a batch goes over few tables.
    const choices = shift > 30 ? 2 : slots.length;
    address |= BigInt((slots[random.below(choices)] as number) % entries) << BigInt(shift);
  }
  const isHigh = upper === 'ones' || (upper === 'sign' && (address >> BigInt(bits - 1)) & 1n) === 1n;
  const full = isHigh ? address | (-1n << BigInt(bits)) : address;
  return BigInt.asUintN(64, random.oneIn(20) ? full ^ (1n << BigInt(bits + random.below(64 - bits))) : full);
}

/** True when the bits of an address above the range are right, as far as the plan's high word tells. */
function isTranslated({ format: { range } }: Plan, va: bigint): boolean {
  const inside = Math.max(32, range.upper === 'sign' ? range.bits - 1 : range.bits);
  const above = BigInt.asIntN(64, va) >> BigInt(inside);
  return (above === 0n && range.upper !== 'ones') || (above === -1n && range.upper !== 'zeros');
}

function walkPlan({ plan, base, frames, window, mayBeOther }: Ground, root: number): Int32Array {
  const { address, pageShift, levels, last } = plan;
  const { bits, upper } = plan.format.range;
  const words = new Int32Array(At.PLAN_WORDS);
  const wordShift = pageShift - 2;
  const insideLo = addressLo(address, 2 ** window - 1, 0);
  const insideHi = addressHi(address, 2 ** window - 1, 0);
  words[At.DEPTH] = last + 1;
  words[At.ROOT] = root * 2 ** wordShift;
  words[At.LAST_TABLE] = (frames - 1) * 2 ** wordShift;
  words[At.PAGE_SHIFT] = pageShift;
  // Bits from the range's own top bit on where it is copied; the plan has the high word alone, ranges below 2^32 too.
  const top = Math.max(0, bits - 32 - (upper === 'sign' ? 1 : 0));
  words[At.ABOVE_SHIFT] = top;
  words[At.ABOVE_BIAS] = upper === 'zeros' ? 0 : 1;
  words[At.ABOVE_SPAN] = upper === 'sign' ? 1 : 0;
  words[At.INSIDE_LO] = insideLo;
  words[At.INSIDE_HI] = insideHi;
  words[At.ROTATE] = (address.lowRotate - wordShift) & 31;
  words[At.OFFSET] = (base % 2 ** window) * 2 ** wordShift;
  words[At.LOW_ROTATE] = address.lowRotate;
  words[At.LOW_LO] = address.lowLo;
  words[At.LOW_HI] = address.lowHi;
  words[At.HIGH_LO_ROTATE] = address.highLoRotate;
  words[At.HIGH_LO] = address.highLo;
  words[At.HIGH_HI_ROTATE] = address.highHiRotate;
  words[At.HIGH_HI] = address.highHi;
  const aboveLo = (address.lowLo | address.highLo) & ~insideLo;
  const aboveHi = (address.lowHi | address.highHi) & ~insideHi;
  const first = base - (base % 2 ** window);
  const firstHigh = Math.floor(first / 4294967296);
  for (const level of levels) {
    const { table, leaf } = level;
    const at = At.LEVELS + At.STRIDE * level.index;
    words[at + At.SHIFT] = level.shift;
    words[at + At.SLOT_MASK] = level.entries - 1;
    words[at + At.TABLE_MASK_LO] = table.maskLo | aboveLo;
    words[at + At.TABLE_MASK_HI] = table.maskHi | aboveHi;
    words[at + At.TABLE_VALUE_LO] = table.valueLo | (addressLo(address, first, firstHigh) & aboveLo);
    words[at + At.TABLE_VALUE_HI] = table.valueHi | (addressHi(address, first, firstHigh) & aboveHi);
    putLeaf(words, at, leaf);
    words[at + At.INSIDE_LOW] = level.insideLow;
    words[at + At.INSIDE_HIGH] = level.insideHigh;
    words[at + At.NAPOT_LO] = level.napotLo;
    words[at + At.NAPOT_HI] = level.napotHi;
    words[at + At.NAPOT_INSIDE] = level.napotInside;
    words[at + At.MAY_BE_OTHER] = mayBeOther;
  }
  preparePlan(words);
  return words;
}

function putLeaf(words: Int32Array, at: number, { maskLo, maskHi, valueLo, valueHi }: FastMatch): void {
  words[at + At.LEAF_MASK_LO] = maskLo;
  words[at + At.LEAF_MASK_HI] = maskHi;
  words[at + At.LEAF_VALUE_LO] = valueLo;
  words[at + At.LEAF_VALUE_HI] = valueHi;
}
