import { collapseLeaves, protection, splitLeaves, toBigint } from '@vmarea/core';
import { ensure, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, Machine, placeOf, type Size, sizesOf } from '../machine.js';
import { firstAddress } from '../tools/addresses.js';

/** Every operation on every size of leaf and run, alone and with its like beside it. */
export const operations: Group = {
  name: 'operations',
  cases: (subject) =>
    sizesOf(subject.format).flatMap((size): Case[] => {
      const smaller = size.shift > subject.format.pageShift;
      const names = [
        'map',
        'unmap',
        'protect',
        ...(smaller ? ['unmap-page', 'protect-page', 'split', 'collapse'] : []),
      ];
      return names.map((name) => ({
        id: `${name}:size=${size.name}`,
        run: () => CASES[name]?.(subject, size),
      }));
    }),
};

interface Stage {
  readonly machine: Machine;
  readonly va: bigint;
  readonly pa: bigint;
  readonly bytes: bigint;
  /** Address that is mapped behind it, by a page of its own. */
  readonly beside: bigint;
}

/** One size mapped, and a page behind it. */
function stage(subject: Checked, size: Size): Stage {
  const { format } = subject;
  const machine = new Machine(format, 40 + 4 * format.levels.length);
  const { va, pa } = placeOf(format, size);
  const bytes = 1n << BigInt(size.shift);
  machine.table.mapRange(va, pa, bytes, dataOf(subject), { maxLeafShift: size.shift });
  const beside = va + bytes < firstAddress(format) + 2n * bytes ? va + bytes : va - machine.page;
  machine.table.map(beside, [1], dataOf(subject));
  machine.flushes.length = 0;
  return { machine, va, pa, bytes, beside };
}

/** The places of a size that are looked at: its ends, and what stands inside. */
function inside({ machine, bytes }: Stage): bigint[] {
  const { page } = machine;
  return [...new Set([0n, page, bytes / 2n, bytes - page])].filter((at) => at >= 0n && at < bytes);
}

function translates(at: Stage, except: bigint | null, what: string): void {
  for (const offset of inside(at)) {
    const expected = offset === except ? null : at.pa + offset;
    same(
      at.machine.table.translate(at.va + offset),
      expected,
      `${what}: translation of offset 0x${offset.toString(16)}`,
    );
  }
  same(at.machine.table.translate(at.beside), at.machine.page, `${what}: the page beside it`);
}

const CASES: Readonly<Record<string, (subject: Checked, size: Size) => void>> = {
  map(subject, size) {
    const at = stage(subject, size);
    const { format } = subject;
    translates(at, null, 'mapped');
    const { level, entry } = at.machine.last(at.va);
    same(level, size.level, 'the level of the leaf');
    const { run } = format.levels[level] as (typeof format.levels)[number];
    const isMarked = run !== null && size.entries > 1;
    const mark = run === null ? 0n : toBigint(run.set);
    same((entry & mark) === mark && mark !== 0n, isMarked, 'the mark of a run');
    const leaf = at.machine.table.walk(at.va).leaf;
    same(leaf?.leafShift, size.leafShift, 'the size of the leaf');
    same(leaf?.protection, format.decode(format.encode(dataOf(subject), level), level), 'its protection');
  },
  unmap(subject, size) {
    const at = stage(subject, size);
    at.machine.table.unmap(at.va, at.bytes);
    for (const offset of inside(at)) same(at.machine.table.translate(at.va + offset), null, 'after unmap');
    same(at.machine.table.translate(at.beside), at.machine.page, 'the page beside it');
    same(at.machine.flushes.length, 1, 'flushes');
  },
  protect(subject, size) {
    const at = stage(subject, size);
    at.machine.table.protect(at.va, at.bytes, { write: false });
    translates(at, null, 'protected');
    for (const offset of inside(at)) {
      same(at.machine.table.walk(at.va + offset).leaf?.protection.write, false, 'write');
      same(at.machine.table.walk(at.va + offset).leaf?.leafShift, size.leafShift, 'the size of the leaf');
    }
    same(at.machine.table.walk(at.beside).leaf?.protection.write, true, 'write beside it');
  },
  'unmap-page'(subject, size) {
    const at = stage(subject, size);
    at.machine.table.unmap(at.va + at.machine.page, at.machine.page);
    translates(at, at.machine.page, 'a page unmapped');
  },
  'protect-page'(subject, size) {
    const at = stage(subject, size);
    const { table, page } = at.machine;
    table.protect(at.va + page, page, { write: false });
    translates(at, null, 'a page protected');
    for (const offset of inside(at)) {
      same(
        table.walk(at.va + offset).leaf?.protection.write,
        offset !== page,
        `write at 0x${offset.toString(16)}`,
      );
    }
  },
  split(subject, size) {
    const at = stage(subject, size);
    const { table, page } = at.machine;
    const before = table.walk(at.va).leaf?.protection ?? protection();
    splitLeaves(table, at.va, page);
    translates(at, null, 'split');
    same(table.walk(at.va).leaf?.leafShift, subject.format.pageShift, 'the size of the first leaf');
    for (const offset of inside(at))
      same(table.walk(at.va + offset).leaf?.protection, before, 'the protection');
  },
  collapse(subject, size) {
    const at = stage(subject, size);
    const { table, page } = at.machine;
    const entry = at.machine.last(at.va).entry;
    splitLeaves(table, at.va, page);
    ensure(collapseLeaves(table, at.va, at.bytes, { maxLeafShift: size.shift }) > 0, 'nothing was collapsed');
    translates(at, null, 'collapsed');
    same(at.machine.last(at.va).level, size.level, 'the level of the leaf');
    same(at.machine.last(at.va).entry, entry, 'the entry');
    same(collapseLeaves(table, at.va, at.bytes, { maxLeafShift: size.shift }), 0, 'collapse once more');
  },
};
