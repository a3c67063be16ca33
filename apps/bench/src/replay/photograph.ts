import { NIL } from '@vmarea/core';
import type { Replayer } from './replayer.js';

/** A photograph held against the replay at its moment. */
export interface PhotographResult {
  readonly name: string;
  /** Nodes of the free tree, recorded or ours, whichever has more: range, longest range below, colour and depth. */
  readonly nodes: number;
  readonly nodesEqual: number;
  /** Ranges in lazy lists and in pools, in order, likewise. */
  readonly waiting: number;
  readonly waitingEqual: number;
  /** The first line that differs, recorded and ours. */
  readonly first: string | null;
}

/** Compares a photograph of Linux's free tree, pools and lazy lists with those of a replay, line by line. */
export function comparePhotograph(
  name: string,
  text: string,
  replayer: Replayer,
  pageShift: number,
): PhotographResult {
  const lines = text.split('\n').filter((line) => /^[fpl] /.test(line));
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

/** The free tree in preorder: `f start end longest colour depth`. */
function treeLines({ free: { tree } }: Replayer, pageShift: number): string[] {
  const lines: string[] = [];
  const top = 2 ** (64 - pageShift) - 0.5;
  const bytes = (page: number): bigint =>
    page === 0.5 ? 1n : page === top ? (1n << 64n) - 1n : BigInt(page) << BigInt(pageShift);
  // The first and the last range of all are a byte short, which is half a page in the tree.
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

/** Pools, heads first, then lazy lists, node by node. */
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
