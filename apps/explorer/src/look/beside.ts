import {
  type Access,
  type Configuration,
  FrameAllocator,
  type LeafRun,
  listLeaves,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  type Protection,
  protection,
  VmError,
} from '@vmarea/core';
import { kernelLayout } from '@vmarea/inspect';
import type { BesideView } from './calls.js';
import { levelsOf } from './level-view.js';
import { viewWalk } from './walk-view.js';

/** At most this much around the address is mapped again. */
const MOST = 1n << 30n;
const TOP = 1n << 64n;

/**
 * Maps what an address belongs to in another format, and walks it there: one mapping, two processors.
 *
 * @throws VmError `EFAULT` when nothing is mapped at the address; `EINVAL` when the other format cannot map it. The message says why.
 */
export function viewBeside(
  table: PageTableReader,
  va: bigint,
  access: Access,
  { name, title, format: kernelFormat, userFormat = kernelFormat }: Configuration,
): BesideView {
  const run = runAt(table, va);
  const isUser = va < 1n << 63n;
  const format = isUser ? userFormat : kernelFormat;
  const notes: string[] = [];
  const there = translated(format.range, va);
  if (there !== va)
    notes.push(
      `${name} does not translate this address: it has ${format.range.bits} bits. The mapping is at the address with the same lower bits.`,
    );
  const shift = there - va;
  const page = 1n << BigInt(format.pageShift);
  if (run.va % page !== run.pa % page)
    throw new VmError('EINVAL', `a page of ${page / 1024n} KiB cannot map this`, {
      advice: `address and physical address differ in their lower ${format.pageShift} bits, so pages must be smaller`,
    });
  let first = run.va > va - (va % MOST) ? run.va : va - (va % MOST);
  let end = run.va + run.bytes < first + MOST ? run.va + run.bytes : first + MOST;
  if (first % page !== 0n || end % page !== 0n) {
    first -= first % page;
    end += (page - (end % page)) % page;
    notes.push(`Pages there are ${page / 1024n} KiB: the range was made larger to whole pages.`);
  }
  if (run.bytes > MOST) notes.push('Of the range, the 1 GiB around the address is mapped.');
  const pa = run.pa - run.va + first;
  const memory = PhysicalMemory.create({ bytes: 16 << 20 });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
  const made = new PageTable({ format, memory, frames });
  made.mapRange(first + shift, pa, end - first, rightsOf(run, format.memoryTypes, notes));
  const tables = frames.stats().allocated;
  const reader = new PageTableReader({ format, memory, root: made.root });
  return {
    ...{ format: name, title, levels: levelsOf(format), notes, tables },
    bits: format.range.bits,
    upper: format.range.upper,
    va: there,
    walk: viewWalk(memory, reader, there, {
      regions: kernelLayout(format, null).regions,
      access,
      controls: {},
    }),
    tableBytes: tables * Number(page),
  };
}

function runAt(table: PageTableReader, va: bigint): LeafRun {
  const { leaf } = table.walk(va);
  if (leaf === null)
    throw new VmError('EFAULT', 'nothing is mapped at this address', {
      address: va,
      advice: 'another format can show an address that is mapped',
    });
  // The run that holds the address, also when it begins before it.
  const size = 1n << BigInt(leaf.leafShift);
  const from = va - (va % MOST);
  const start = va - (va % size);
  for (const item of listLeaves(table, {
    va: from < start ? from : start,
    bytes: MOST < size ? size : MOST,
    again: 'list',
  }))
    if (item.kind === 'leaves' && item.va <= va && va < item.va + item.bytes) return item;
  throw new Error('a leaf is in no list');
}

/** The address in another range: the same lower bits, below the same half's upper bits. */
function translated({ bits, upper }: Configuration['format']['range'], va: bigint): bigint {
  const isUpper = va >= 1n << 63n;
  const low = upper === 'sign' ? bits - 1 : bits;
  const inside = va & ((1n << BigInt(low)) - 1n);
  return isUpper ? TOP - (1n << BigInt(low)) + inside : inside;
}

/** The rights of all levels, as one leaf. */
function rightsOf(
  { rights, protection: own }: LeafRun,
  types: readonly string[],
  notes: string[],
): Protection {
  const isKnown = types.includes(own.memory);
  if (!isKnown)
    notes.push(`Its memory type ${own.memory} does not exist there: it is mapped as normal memory.`);
  return protection({
    write: rights.write,
    execute: rights.execute,
    user: rights.user,
    global: own.global && !rights.user,
    accessed: own.accessed,
    dirty: own.dirty && rights.write,
    memory: isKnown ? own.memory : 'normal',
  });
}
