import { hex, type PageTableFormat, type Protection, toBigint } from '@vmarea/core';
import { ensure, same } from '../assert.js';
import type { Case, Group } from '../case.js';
import { combinations, encoded, leafLevels } from '../members.js';
import { addressMask, kindOf } from '../tools/entries.js';

/** Protections to bits and back, at every level with leaves. */
export const protections: Group = {
  name: 'protections',
  cases({ format, linux, protections: named }) {
    const levels = leafLevels(format);
    const cases: Case[] = [];
    if (linux !== undefined) {
      cases.push({
        id: 'policy',
        run: () =>
          ensure(linux.formats?.includes(format.name) === true, 'the policy does not name the format'),
      });
    }
    for (const level of levels) {
      const at = `level=${format.levels[level]?.name}`;
      for (const [name, one] of Object.entries(named)) {
        cases.push({
          id: `${name}:${at}`,
          run: () => {
            ensure(encoded(format, one, level) !== null, 'the format refuses a protection of its own policy');
            thereAndBack(format, one, level);
          },
        });
      }
      cases.push({ id: `combinations:${at}`, run: () => combine(format, level) });
      cases.push({ id: `changes:${at}`, run: () => changeAll(format, level) });
    }
    for (const from of levels) {
      for (const to of levels) {
        const id = `relevel:${format.levels[from]?.name}-${format.levels[to]?.name}`;
        cases.push({ id, run: () => relevel(format, from, to) });
      }
    }
    return cases;
  },
};

/** What a format must be able to say at least: read or write, execute, user, accessed, each or not. */
const LEAST = 16;

/** A leaf by the data, without address and mark; what it decodes to is what was asked for, and encodes to it. */
function thereAndBack(format: PageTableFormat, wanted: Protection, level: number): void {
  const words = format.encode(wanted, level);
  const bits = toBigint(words);
  const { shift, run } = format.levels[level] as (typeof format.levels)[number];
  ensure(kindOf(format, level, bits) === 'leaf', `encode gives ${hex(bits)}, which is no leaf`);
  ensure((bits & addressMask(format, shift)) === 0n, `encode gives ${hex(bits)}, which has address bits`);
  if (run !== null) ensure((bits & toBigint(run.set)) !== toBigint(run.set), 'encode marks a run');
  const back = format.decode(words, level);
  same(toBigint(format.encode(back, level)), bits, 'encode(decode(leaf))');
  for (const member of ['read', 'write', 'execute', 'user', 'global', 'memory', 'accessed'] as const) {
    same(back[member], wanted[member], `decode(encode(protection)).${member}`);
  }
  // A page that cannot be written is dirty in no sense that all architectures share.
  if (wanted.write) same(back.dirty, wanted.dirty, 'decode(encode(protection)).dirty');
}

function combine(format: PageTableFormat, level: number): void {
  let said = 0;
  for (const wanted of combinations(format)) {
    if (encoded(format, wanted, level) === null) continue;
    thereAndBack(format, wanted, level);
    said++;
  }
  ensure(said >= LEAST, `the format can say only ${said} protections`);
}

/** A change gives the rights that are asked for, and asked for again changes nothing. */
function changeAll(format: PageTableFormat, level: number): void {
  const all = combinations(format).filter((one) => encoded(format, one, level) !== null);
  ensure(all.length >= LEAST, `the format can say only ${all.length} protections`);
  for (const [i, before] of all.entries()) {
    for (const wanted of [all[(7 * i + 3) % all.length], all[(5 * i + 1) % all.length]]) {
      if (wanted === undefined) continue;
      const leaf = format.encode(before, level);
      const after = format.change(leaf, wanted, level);
      ensure(
        kindOf(format, level, toBigint(after)) === 'leaf',
        `change gives ${hex(toBigint(after))}, no leaf`,
      );
      const back = format.decode(after, level);
      for (const member of ['read', 'write', 'execute', 'user', 'global', 'memory'] as const) {
        same(back[member], wanted[member], `after a change, ${member}`);
      }
      same(back.accessed, before.accessed, 'a change keeps accessed');
      if (before.write && wanted.write) same(back.dirty, before.dirty, 'a change keeps dirty');
      same(toBigint(format.change(after, wanted, level)), toBigint(after), 'the same change once more');
    }
    const leaf = format.encode(before, level);
    const decoded = format.decode(leaf, level);
    same(toBigint(format.change(leaf, decoded, level)), toBigint(leaf), 'a change to what a leaf says');
  }
}

/** From one level to another a leaf says the same, and back it is the same. */
function relevel(format: PageTableFormat, from: number, to: number): void {
  let said = 0;
  for (const wanted of combinations(format)) {
    if (encoded(format, wanted, from) === null || encoded(format, wanted, to) === null) continue;
    const leaf = format.encode(wanted, from);
    const moved = format.relevel(leaf, from, to);
    same(toBigint(moved), toBigint(format.encode(wanted, to)), 'relevel(encode(protection))');
    same(toBigint(format.relevel(moved, to, from)), toBigint(leaf), 'relevel there and back');
    said++;
  }
  ensure(said >= LEAST, `both levels can say only ${said} protections`);
}
