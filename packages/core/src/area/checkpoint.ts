import { hex } from '../errors.js';
import type { Area } from './area.js';
import type { AddressWindow } from './page-units.js';
import { VmapAreas } from './vmap-areas.js';
import { type Block, VmapBlocks } from './vmap-blocks.js';
import type { Waiting } from './vmap-nodes.js';

/** A list of numbers for each list of a tree, in the order of `TREE`. */
type PlainTree = readonly [root: number, size: number, erased: number, used: number, ...lists: number[][]];
/** Address in hexadecimal. */
type Hex = string;
/** First page, pages with the guard, node. */
type PlainWaiting = readonly [start: number, size: number, node: number];

/** All that a `VmapAreas` holds, as numbers and strings. Its options are not part of it. */
export interface AreasState {
  readonly free: PlainTree;
  readonly lazyPages: number;
  /** For each node: what waits, and its pools that are not empty, by index. */
  readonly nodes: readonly (readonly [
    lazy: PlainWaiting[],
    pools: (readonly [index: number, pool: PlainWaiting[]])[],
  ])[];
  /** By node and address. */
  readonly busy: readonly (readonly [start: number, size: number, guard: number, node: number])[];
  readonly purges: number;
  /** The first byte and the end that a purge still owes a flush for; `null` for nothing. */
  readonly owed: readonly [Hex, Hex] | null;
}

/** All that a `VmapBlocks` holds, as numbers and strings. */
export interface BlocksState {
  readonly made: number;
  /** In the order in which they were made. */
  readonly blocks: readonly (readonly [
    address: Hex,
    cpu: number,
    rank: number,
    free: number,
    dirty: number,
    dirtyFrom: number,
    dirtyTo: number,
    live: (readonly [number, number])[],
  ])[];
  /** Addresses of blocks with room, by processor. */
  readonly open: readonly Hex[][];
  /** Addresses of ranges that are areas of their own. */
  readonly large: readonly Hex[];
}

const TREE = ['start', 'end', 'longest', 'child', 'parent', 'colour', 'next', 'previous'] as const;

/** All that the areas hold: free ranges with the tree's exact shape, what waits, pools, live areas. */
export function captureAreas(areas: VmapAreas): AreasState {
  const { free, nodes, busy, ledger } = VmapAreas.partsOf(areas);
  const tree = free.tree.capture();
  const { owed } = ledger;
  return {
    free: [tree.root, tree.size, tree.erased, tree.used, ...TREE.map((name) => Array.from(tree[name]))],
    lazyPages: nodes.lazyPages,
    nodes: nodes.lists.map(({ lazy, pools }) => [
      lazy.map(plainWaiting),
      pools.flatMap((pool, i) => (pool.length === 0 ? [] : [[i, pool.map(plainWaiting)] as const])),
    ]),
    busy: Array.from(busy, ({ start, size, area, node }) => [start, size, area.guardBytes, node] as const),
    purges: ledger.purges,
    owed: owed === undefined ? null : [hex(owed.start), owed.end.toString(16)],
  };
}

/**
 * Becomes what a state says. The options must be those of the areas that were captured.
 *
 * @param areaOf - the area of each live range, by its index in `busy`. It has that place.
 */
export function restoreAreas(
  areas: VmapAreas,
  state: AreasState,
  areaOf: (
    place: { readonly address: bigint; readonly bytes: bigint; readonly guardBytes: number },
    index: number,
  ) => Area,
): void {
  const { free, nodes, busy, ledger, units } = VmapAreas.partsOf(areas);
  const [root, size, erased, used, ...lists] = state.free;
  const tree = Object.fromEntries(TREE.map((name, i) => [name, lists[i] as number[]])) as Record<
    (typeof TREE)[number],
    number[]
  >;
  free.tree.restore({ root, size, erased, used, ...tree });
  nodes.lazyPages = state.lazyPages;
  for (const [i, node] of nodes.lists.entries()) {
    const [lazy, pools] = state.nodes[i] as AreasState['nodes'][number];
    node.lazy = lazy.map(waiting);
    const full = new Map(pools);
    for (let k = 0; k < node.pools.length; k++) node.pools[k] = (full.get(k) ?? []).map(waiting);
  }
  busy.clear();
  for (const [i, [start, pages, guardBytes, node]] of state.busy.entries()) {
    const bytes = units.bytes(pages) - BigInt(guardBytes);
    busy.add({
      area: areaOf({ address: units.bytes(start), bytes, guardBytes }, i),
      start,
      size: pages,
      node,
    });
  }
  ledger.purges = state.purges;
  ledger.owed = state.owed === null ? undefined : windowOf(state.owed);
}

/** All that the blocks hold. Their areas are part of the state of the areas. */
export function captureBlocks(blocks: VmapBlocks): BlocksState {
  const parts = VmapBlocks.partsOf(blocks);
  return {
    made: parts.ranks.made,
    blocks: Array.from(parts.blocks.values(), (block) => [
      hex(block.area.address),
      ...([block.cpu, block.rank, block.free, block.dirty, block.dirtyFrom, block.dirtyTo] as const),
      [...block.live],
    ]),
    open: parts.open.map((list) => list.map(({ area }) => hex(area.address))),
    large: Array.from(parts.large.keys(), hex),
  };
}

/**
 * Becomes what a state says.
 *
 * @param areas - those that the blocks are taken from, restored before.
 */
export function restoreBlocks(blocks: VmapBlocks, state: BlocksState, areas: VmapAreas): void {
  const parts = VmapBlocks.partsOf(blocks);
  parts.ranks.made = state.made;
  parts.blocks.clear();
  parts.large.clear();
  for (const [at, cpu, rank, free, dirty, dirtyFrom, dirtyTo, live] of state.blocks) {
    const area = areas.find(BigInt(at)) as Area;
    const block: Block = { area, cpu, rank, free, dirty, dirtyFrom, dirtyTo, live: new Map(live) };
    parts.blocks.set(area.address, block);
  }
  for (const [cpu, list] of state.open.entries())
    parts.open[cpu] = list.map((at) => parts.blocks.get(BigInt(at)) as Block);
  for (const at of state.large) parts.large.set(BigInt(at), areas.find(BigInt(at)) as Area);
}

function plainWaiting({ start, size, node }: Waiting): PlainWaiting {
  return [start, size, node];
}

function waiting([start, size, node]: PlainWaiting): Waiting {
  return { start, size, node };
}

/** The end may be 2^64, which has more digits. */
function windowOf([start, end]: readonly [Hex, Hex]): AddressWindow {
  return { start: BigInt(start), end: BigInt(`0x${end}`) };
}
