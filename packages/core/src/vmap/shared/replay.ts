import type { Area } from '../../area/area.js';
import type { ReserveOptions } from '../../area/areas-options.js';
import type { AddressWindow } from '../../area/page-units.js';
import type { VmapAreas } from '../../area/vmap-areas.js';
import type { VmapBlocks } from '../../area/vmap-blocks.js';
import { shown, VmError } from '../../errors.js';
import { VmStruct } from '../areas/vm-struct.js';
import type { PurgeGate } from './purge-gate.js';
import { NO_ROOM, type PlainOp, THREW } from './recorder.js';

/** The areas of a thread that makes operations of others again. */
export interface Replayed {
  readonly areas: VmapAreas;
  readonly blocks: VmapBlocks;
  readonly gate: PurgeGate;
}

/** Makes an operation of another thread again. @throws Error when something else comes out: a bug. */
export function replayOp(to: Replayed, op: PlainOp): void {
  const expected = op.at(-1);
  const got = outcomeOf(to, op, expected === THREW);
  if (String(got) !== String(expected))
    throw new Error(`${String(op[0])} gave ${shown(expected)} in another thread, and ${shown(got)} here`);
}

function outcomeOf(to: Replayed, op: PlainOp, threw: boolean): unknown {
  to.gate.threwThere = threw;
  try {
    return makeOp(to, op);
  } catch (error) {
    if (threw) return THREW;
    if (error instanceof VmError && error.code === 'ENOMEM') return NO_ROOM;
    throw error;
  } finally {
    to.gate.threwThere = null;
  }
}

function makeOp({ areas, blocks }: Replayed, [name, a, b, c]: PlainOp): unknown {
  switch (name) {
    case 'reserve':
      return areas.reserve(a as bigint, { ...(b as ReserveOptions), info: unknownStruct() }).address;
    case 'percpu':
      return areas
        .reservePercpu(a as number[], b as number[], c as bigint, unknownStruct)
        .map(({ address }) => address);
    case 'free':
      areas.free(areaAt(areas, a as bigint), b as boolean);
      return 0;
    case 'cancel':
      areas.cancel(areaAt(areas, a as bigint));
      return 0;
    case 'purge':
      return areas.purge(windowOf(a));
    case 'purgeIfDue':
      areas.purgeIfDue();
      return 0;
    case 'shrink':
      areas.shrink();
      return 0;
    case 'blocks.reserve':
      return blocks.reserve(a as number, b as number);
    case 'blocks.free':
      blocks.free(a as bigint, b as number);
      return 0;
    case 'blocks.cancel':
      blocks.cancel(a as bigint);
      return 0;
    case 'blocks.unmapAliases':
      blocks.unmapAliases(windowOf(a));
      return 0;
    default:
      throw new Error(`no operation ${name}`);
  }
}

/** Its fields come at the end of the record. */
function unknownStruct(): VmStruct {
  return new VmStruct(0, 0n, undefined);
}

function areaAt(areas: VmapAreas, address: bigint): Area {
  const area = areas.find(address);
  if (area?.address === address) return area;
  throw new Error(`another thread freed an area at ${shown(address)} that this one does not have`);
}

function windowOf(plain: unknown): AddressWindow | undefined {
  return plain === 0 ? undefined : (plain as AddressWindow);
}
