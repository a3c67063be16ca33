import { joinWords } from '@vmarea/core';
import type { LevelReader } from './level-reader.js';
import type { State } from './state.js';
import type { TableNode } from './table-node.js';
import type { WatchedRoot } from './watched-root.js';

/** What is wrong with an aligned group of leaves: the first marked one, and the one that does not fit it. */
interface Fault {
  readonly cause: 'partial' | 'mixed';
  readonly marked: number;
  readonly other: number;
}

/**
 * Judges an aligned group of entries that may form a run. A group that is only incomplete is remembered: it is
 * wrong when a flush, a fill or a check point finds it so, since nobody writes all its entries at once.
 *
 * Source: Arm ARM, D8.7, "Contiguous bit": all entries of a group have the bit, adjacent frames and the same
 * attributes; RISC-V Svnapot: all have the same encoding.
 *
 * @param index - of the first entry of the group.
 */
export function judgeRunOf(state: State, root: WatchedRoot, node: TableNode, index: number): void {
  const fault = faultOf(root.tree.readerOf(node), node.copy, index);
  if (fault?.cause === 'partial') root.incomplete.set(`${node.level} ${node.pfn} ${index}`, { node, index });
  else if (fault !== null) report(state, root, node, fault);
}

/** Reports the groups that are still incomplete. */
export function judgeIncomplete(state: State, root: WatchedRoot): void {
  for (const { node, index } of root.incomplete.values()) {
    const fault = faultOf(root.tree.readerOf(node), node.copy, index);
    if (fault !== null && root.tree.has(node)) report(state, root, node, fault);
  }
  root.incomplete.clear();
}

function faultOf(reader: LevelReader, copy: Int32Array, index: number): Fault | null {
  const { run } = reader.level;
  if (run === null) return null;
  let marked = -1;
  let missing = -1;
  let plain = -1;
  for (let at = index; at < index + run.entries; at++) {
    const lo = copy[2 * at] as number;
    const hi = copy[2 * at + 1] as number;
    const kind = reader.kind(lo, hi);
    if (kind !== 'leaf') {
      if (kind === 'table') plain = at;
      else missing = at;
    } else if (!reader.meaning(lo, hi).isInRun) plain = at;
    else if (marked < 0) marked = at;
    else if (!fits(reader, copy, index, marked, at)) return { cause: 'mixed', marked, other: at };
  }
  if (marked < 0) return null;
  if (!fits(reader, copy, index, marked, marked)) return { cause: 'mixed', marked, other: marked };
  if (plain >= 0) return { cause: 'mixed', marked, other: plain };
  return missing >= 0 ? { cause: 'partial', marked, other: missing } : null;
}

/** True when a marked leaf has its place in the run of another one. */
function fits(reader: LevelReader, copy: Int32Array, index: number, marked: number, at: number): boolean {
  const words = (i: number): [number, number] => [copy[2 * i] as number, copy[2 * i + 1] as number];
  const base = reader.frame(...words(marked), marked) - (marked - index) * reader.pages;
  const { entries } = reader.level.run as { entries: number };
  return (
    base % (entries * reader.pages) === 0 &&
    reader.frame(...words(at), at) === base + (at - index) * reader.pages &&
    reader.meaning(...words(at)).text === reader.meaning(...words(marked)).text
  );
}

function report(state: State, root: WatchedRoot, node: TableNode, { cause, marked, other }: Fault): void {
  const { event, processors, reports } = state;
  const reader = root.tree.readerOf(node);
  const word = (at: number): bigint =>
    joinWords(node.copy[2 * at] as number, node.copy[2 * at + 1] as number);
  const page = (root.tree.pagesOf(node)[0] ?? 0) + other * reader.pages;
  reports.add({
    ...{ code: 'mixed-run', class: 'error', cause, changedAt: event, flushAt: 0, at: event },
    ...{ processor: processors[0] as number, processors, asid: root.asid },
    va: root.address(root.absolute(page)),
    bytes: 1n << BigInt(reader.level.shift),
    level: reader.level.name,
    entryAddress: root.entryAddress(node.pfn, reader.index, other),
    ...{ before: word(marked), after: word(other), frame: null },
  });
}
