import {
  collapseLeaves,
  hex,
  type Level,
  type PageTableFormat,
  type Protection,
  splitLeaves,
  toBigint,
  words,
} from '@vmarea/core';
import { ensure, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, Machine, placeOf, type Size, sizesOf } from '../machine.js';
import { encoded } from '../members.js';
import { addressMask, kindOf } from '../tools/entries.js';

/** Bits that a protection carries in `extra`, set by somebody else, outlive what the engine does to their leaves. */
export const survival: Group = {
  name: 'survival',
  cases: (subject): Case[] =>
    sizesOf(subject.format)
      .filter(({ entries }) => entries === 1)
      .flatMap((size) => {
        const cases: Case[] = [{ id: `protect:level=${size.name}`, run: () => protects(subject, size) }];
        if (size.shift > subject.format.pageShift) {
          cases.push({ id: `split:level=${size.name}`, run: () => splits(subject, size) });
        }
        return cases;
      }),
};

/** The bits that a leaf of a level may carry, each alone, and that are nothing but `extra`. */
function extraBits(format: PageTableFormat, level: number, leaf: bigint): bigint[] {
  const { shift, run } = format.levels[level] as (typeof format.levels)[number];
  const taken = leaf | addressMask(format, shift) | (run === null ? 0n : toBigint(run.set));
  const plain = format.decode(words(leaf), level);
  const found: bigint[] = [];
  for (let bit = 0n; bit < 64n; bit++) {
    const one = 1n << bit;
    if ((one & taken) !== 0n || kindOf(format, level, leaf | one) !== 'leaf') continue;
    const said = decoded(format, leaf | one, level);
    if (said === null || said.extra === plain.extra) continue;
    if (JSON.stringify({ ...said, extra: 0 }) === JSON.stringify({ ...plain, extra: 0 })) found.push(one);
  }
  return found;
}

/** What a leaf decodes to, when the format can say it: a bit that belongs to another may make it unsayable. */
function decoded(format: PageTableFormat, leaf: bigint, level: number): Protection | null {
  const said = format.decode(words(leaf), level);
  const back = encoded(format, said, level);
  if (back !== null) same(toBigint(back), leaf, `encode(decode(${hex(leaf)}))`);
  return back === null ? null : said;
}

function mapped(
  subject: Checked,
  size: Size,
): { machine: Machine; va: bigint; bytes: bigint; bits: bigint[] } {
  const machine = new Machine(subject.format);
  const { va, pa } = placeOf(subject.format, size);
  const bytes = 1n << BigInt(size.shift);
  machine.table.mapRange(va, pa, bytes, dataOf(subject), { maxLeafShift: size.shift });
  const flags = toBigint(subject.format.encode(dataOf(subject), size.level));
  const bits = extraBits(subject.format, size.level, flags);
  ensure(bits.length > 0, 'no bit of a leaf is extra alone: skip the group and say so');
  return { machine, va, bytes, bits };
}

function protects(subject: Checked, size: Size): void {
  const { machine, va, bytes, bits } = mapped(subject, size);
  const { address, entry } = machine.last(va);
  for (const bit of bits) {
    machine.memory.write64(address, entry | bit);
    for (const write of [false, true, false]) machine.table.protect(va, bytes, { write });
    const now = machine.last(va).entry;
    same((now & bit) !== 0n, true, `bit ${hex(bit)} after protect`);
    machine.memory.write64(address, entry);
  }
}

/** A bit goes along to every smaller leaf that can say it, and back. */
function splits(subject: Checked, size: Size): void {
  const { format } = subject;
  const { machine, va, bytes, bits } = mapped(subject, size);
  const { address, entry } = machine.last(va);
  let survived = 0;
  for (const bit of bits) {
    machine.memory.write64(address, entry | bit);
    const before = machine.table.walk(va).leaf?.protection as Protection;
    splitLeaves(machine.table, va, machine.page);
    // What would be address in a leaf of the last level cannot go there, and may go with the first step.
    const isAddress = (before.extra & addressMask(format, format.pageShift)) !== 0n;
    let isKept = true;
    for (const at of [0n, machine.page, bytes - machine.page]) {
      const { level, protection } = machine.table.walk(va + at).leaf ?? {};
      const where = `at ${hex(va + at)} after split, with bit ${hex(bit)}`;
      if (level === undefined) throw new Error(`nothing is mapped ${where}`);
      // A bit that smaller leaves do not have goes; all else stays.
      const canSay = isAddress ? null : encoded(format, before, level);
      if (canSay === null) {
        isKept = false;
        same({ ...protection, extra: 0n }, { ...before, extra: 0n }, `the protection ${where}`);
        continue;
      }
      same(protection, before, `the protection ${where}`);
      const { shift } = format.levels[level] as Level;
      const flags = machine.last(va + at).entry & ~addressMask(format, shift);
      same(flags, toBigint(canSay), `the flags ${where}`);
    }
    collapseLeaves(machine.table, va, bytes, { maxLeafShift: size.shift });
    same(machine.last(va).level, size.level, 'the level after collapse');
    if (isKept) {
      survived++;
      same(machine.last(va).entry, entry | bit, `the block with bit ${hex(bit)} after split and collapse`);
    }
    machine.memory.write64(address, entry);
  }
  ensure(survived > 0, 'no bit of a block outlives a split: skip the group and say so');
}
