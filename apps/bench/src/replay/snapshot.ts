import { NIL, printable } from '@vmarea/core';
import type { Replayer } from './replayer.js';
import { DamagedFile } from './trace.js';

/** The comparison of a snapshot with the replay at the same moment. */
export interface SnapshotResult {
  readonly name: string;
  /** Nodes of the larger free tree, recorded or replayed, and those that are equal in range, longest range below, colour and depth. */
  readonly nodes: number;
  readonly nodesEqual: number;
  /** The same for ranges in lazy lists and pools, in order. */
  readonly waiting: number;
  readonly waitingEqual: number;
  /** The first line that differs, recorded and replayed. */
  readonly first: string | null;
}

/**
 * Compares a snapshot of Linux's free tree, pools and lazy lists with the replay, line by line.
 *
 * @throws DamagedFile for a line that is none of a snapshot, and for a snapshot without a free range.
 */
export function compareSnapshot(
  name: string,
  text: string,
  replayer: Replayer,
  pageShift: number,
): SnapshotResult {
  const all = text.split(/\r?\n/);
  const wrong = all.findIndex((line) => !LINE.test(line));
  if (wrong >= 0 || !/^f /m.test(text))
    throw new DamagedFile(
      `the snapshot '${printable(name)}' is damaged${wrong < 0 ? ': it has no free range' : `, line ${wrong + 1}: ${printable((all[wrong] as string).slice(0, 60))}`}`,
    );
  const lines = all.filter((line) => /^[fpl] /.test(line));
  const recorded = lines.filter((line) => line.startsWith('f'));
  const found = treeLines(replayer, pageShift);
  const waiting = lines.filter((line) => !line.startsWith('f'));
  const ours = waitingLines(replayer, pageShift);
  const different = [...pairs(recorded, found), ...pairs(waiting, ours)].find(([a, b]) => a !== b);
  return {
    name,
    nodes: Math.max(recorded.length, found.length),
    nodesEqual: equalIn(recorded, found),
    waiting: Math.max(waiting.length, ours.length),
    waitingEqual: equalIn(waiting, ours),
    first:
      different === undefined
        ? null
        : `recorded '${different[0] ?? 'nothing'}', here '${different[1] ?? 'nothing'}'`,
  };
}

/** A node of the free tree, a range in a pool or a lazy list, the geometry of nodes, a remark, or nothing. */
const LINE =
  /^(f [0-9a-f]+ [0-9a-f]+ [0-9a-f]+ [RB] \d+|p \d+ \d+ [0-9a-f]+|l \d+ [0-9a-f]+ [0-9a-f]+|n( \S+)+|#.*|)$/;

/** The free tree in preorder: `f start end longest colour depth`. */
function treeLines({ free: { tree } }: Replayer, pageShift: number): string[] {
  const lines: string[] = [];
  const top = 2 ** (64 - pageShift) - 0.5;
  const bytes = (page: number): bigint =>
    page === 0.5 ? 1n : page === top ? (1n << 64n) - 1n : BigInt(page) << BigInt(pageShift);
  // The first and the last range of all are a byte short: half a page in the tree.
  const longest = (pages: number): bigint =>
    Number.isInteger(pages)
      ? BigInt(pages) << BigInt(pageShift)
      : (BigInt(pages + 0.5) << BigInt(pageShift)) - 1n;
  const walk = (node: number, depth: number): void => {
    if (node === NIL) return;
    const [start, end] = [tree.start[node] as number, tree.end[node] as number];
    const colour = tree.isRed(node) ? 'R' : 'B';
    lines.push(
      `f ${bytes(start).toString(16)} ${bytes(end).toString(16)} ${longest(tree.longest[node] as number).toString(16)} ${colour} ${depth}`,
    );
    walk(tree.left(node), depth + 1);
    walk(tree.right(node), depth + 1);
  };
  walk(tree.root, 0);
  return lines;
}

/** For each node: its pools, heads first, then its lazy list. */
function waitingLines({ nodes }: Replayer, pageShift: number): string[] {
  const hex = (page: number): string => (BigInt(page) << BigInt(pageShift)).toString(16);
  const all = Array.from({ length: nodes.count }, (_, node) => ({ node, ...nodes.state(node) }));
  return all.flatMap(({ node, lazy, pools }) => [
    ...pools.flatMap((pool, i) => pool.map(({ start }) => `p ${node} ${i} ${hex(start)}`)),
    ...lazy.map(({ start, size }) => `l ${node} ${hex(start)} ${hex(start + size)}`),
  ]);
}

function pairs(a: readonly string[], b: readonly string[]): [string | undefined, string | undefined][] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i], b[i]]);
}

function equalIn(a: readonly string[], b: readonly string[]): number {
  return pairs(a, b).filter(([one, other]) => one === other).length;
}
