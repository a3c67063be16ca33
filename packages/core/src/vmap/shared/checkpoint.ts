import type { Area } from '../../area/area.js';
import {
  type AreasState,
  type BlocksState,
  captureAreas,
  captureBlocks,
  restoreAreas,
  restoreBlocks,
} from '../../area/checkpoint.js';
import { VmapAreas } from '../../area/vmap-areas.js';
import type { VmapBlocks } from '../../area/vmap-blocks.js';
import { VmStruct } from '../areas/vm-struct.js';
import type { PlainStruct, Structs } from './structs.js';

/** All that threads must agree on about the areas of a space. */
export interface SpaceState {
  readonly areas: AreasState;
  readonly blocks: BlocksState;
  /** The last number that an area got. */
  readonly last: number;
  /** Number and fields of each live area, in the order of `areas.busy`; 0 for a range of blocks. */
  readonly structs: readonly (readonly [number, PlainStruct] | 0)[];
}

/** The areas of one thread. */
export interface SpaceAreas {
  readonly areas: VmapAreas;
  readonly blocks: VmapBlocks;
  readonly structs: Structs;
}

/** Everything as plain data. */
export function captureSpace({ areas, blocks, structs }: SpaceAreas): SpaceState {
  const { busy } = VmapAreas.partsOf(areas);
  return {
    areas: captureAreas(areas),
    blocks: captureBlocks(blocks),
    last: structs.last,
    structs: Array.from(busy, ({ area: { info } }) =>
      info instanceof VmStruct ? ([structs.numberOf(info), structs.plainOf(info)] as const) : 0,
    ),
  };
}

/**
 * Becomes what a state says. Areas that this thread knows, and that are still live, stay the same objects.
 * Others are no longer live.
 *
 * @returns areas and their fields, for `Structs.apply`.
 */
export function restoreSpace(to: SpaceAreas, state: SpaceState): (readonly [VmStruct, PlainStruct])[] {
  const { structs } = to;
  const before = new Set(structs.live);
  const found: (readonly [VmStruct, PlainStruct])[] = [];
  restoreAreas(to.areas, state.areas, (place, i): Area => {
    const struct = state.structs[i] as SpaceState['structs'][number];
    if (struct === 0) return Object.freeze({ ...place, info: { isRam: true } });
    const [number, plain] = struct;
    const known = structs.find(number);
    const vm = known ?? new VmStruct(0, 0n, undefined);
    before.delete(vm);
    if (known === undefined) {
      vm.area = Object.freeze({ ...place, info: vm });
      structs.put(vm, number);
    }
    found.push([vm, plain]);
    return vm.area;
  });
  for (const vm of before) structs.remove(vm);
  structs.last = state.last;
  restoreBlocks(to.blocks, state.blocks, to.areas);
  return found;
}
