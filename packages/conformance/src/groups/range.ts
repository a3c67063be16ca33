import { codeOf, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, Machine } from '../machine.js';
import { firstAddress, rangeBytes, rootFrames } from '../tools/addresses.js';

const ALL = 1n << 64n;

/** The first and last pages that a root translates, and those beyond. */
export const range: Group = {
  name: 'range',
  cases(subject): Case[] {
    const { format } = subject;
    const cases: Case[] = [
      { id: 'first', run: () => inside(subject, firstAddress(format)) },
      { id: 'last', run: () => inside(subject, end(subject) - page(subject)) },
    ];
    for (const [id, va] of beyond(subject)) cases.push({ id, run: () => outside(subject, va) });
    if (format.range.upper === 'sign') {
      cases.push({ id: 'low-first', run: () => inside(subject, 0n) });
      cases.push({ id: 'low-last', run: () => inside(subject, rangeBytes(format) - page(subject)) });
    }
    cases.push({ id: 'across', run: () => across(subject) });
    return cases;
  },
};

function page({ format }: Checked): bigint {
  return 1n << BigInt(format.pageShift);
}

/** The address behind the last one. */
function end({ format }: Checked): bigint {
  return firstAddress(format) + rangeBytes(format);
}

/** Addresses next to the range, and with one bit above it wrong. */
function beyond(subject: Checked): [string, bigint][] {
  const { format } = subject;
  const { bits, upper } = format.range;
  const list: [string, bigint][] = [];
  if (upper === 'sign') {
    list.push(['hole-first', rangeBytes(format)], ['hole-last', firstAddress(format) - page(subject)]);
  } else if (upper === 'zeros') list.push(['behind', end(subject)]);
  else list.push(['before', firstAddress(format) - page(subject)]);
  for (const bit of [bits, 63]) {
    if (bit < 64) list.push([`bit=${bit}`, firstAddress(format) ^ (1n << BigInt(bit))]);
  }
  return list.filter(([, va]) => va >= 0n && va < ALL);
}

function inside(subject: Checked, va: bigint): void {
  const machine = new Machine(subject.format);
  machine.table.map(va, [3], dataOf(subject));
  const last = page(subject) - 1n;
  same(machine.table.translate(va), 3n * page(subject), 'translate');
  same(machine.table.walk(va + last).pa, 3n * page(subject) + last, 'walk of the last byte');
  const other = va === firstAddress(subject.format) ? va + page(subject) : va - page(subject);
  if (codeOf(() => machine.table.translate(other)) === 'none')
    same(machine.table.translate(other), null, 'the page beside it');
  machine.table.unmap(va, page(subject), { reclaim: true });
  same(machine.frames.stats().allocated, rootFrames(subject.format), 'frames after unmap with reclaim');
}

function outside(subject: Checked, va: bigint): void {
  const machine = new Machine(subject.format);
  const before = machine.state();
  same(
    codeOf(() => machine.table.map(va, [3], dataOf(subject))),
    'ERANGE',
    'map',
  );
  same(
    codeOf(() => machine.table.unmap(va, page(subject))),
    'ERANGE',
    'unmap',
  );
  same(machine.table.translate(va), null, 'translate');
  same(machine.table.walk(va).fault?.kind, 'address', 'the fault of a walk');
  same(machine.state(), before, 'the state');
}

/** A range whose end is no address of the root. */
function across(subject: Checked): void {
  const machine = new Machine(subject.format);
  const { upper } = subject.format.range;
  const start =
    upper === 'ones'
      ? end(subject) - page(subject)
      : (upper === 'sign' ? rangeBytes(subject.format) : end(subject)) - page(subject);
  const before = machine.state();
  same(
    codeOf(() => machine.table.map(start, [3, 4], dataOf(subject))),
    'ERANGE',
    'map across the end',
  );
  same(
    codeOf(() => machine.table.unmap(start, 2n * page(subject))),
    'ERANGE',
    'unmap across the end',
  );
  same(machine.state(), before, 'the state');
}
