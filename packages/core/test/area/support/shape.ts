import { type IntervalTree, NIL } from '../../../src/area/interval-tree.js';
import type { Block, LinuxTree } from './linux-tree.js';

/** The tree in preorder: range, longest range below, colour. */
export function shape(tree: IntervalTree, node = tree.root): string {
  if (node === NIL) return '.';
  const own = `${tree.start[node]}-${tree.end[node]} ${tree.longest[node]}${tree.isRed(node) ? 'r' : 'b'}`;
  return `(${own} ${shape(tree, tree.left(node))} ${shape(tree, tree.right(node))})`;
}

/** The same of the model. */
export function shapeOf(tree: LinuxTree, block: Block | null = tree.root): string {
  if (block === null) return '.';
  const own = `${block.start}-${block.end} ${tree.longest(block)}${block.red ? 'r' : 'b'}`;
  return `(${own} ${shapeOf(tree, block.left)} ${shapeOf(tree, block.right)})`;
}
