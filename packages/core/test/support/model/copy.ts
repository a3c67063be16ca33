import { TableRecords } from '../../../src/table/table-records.js';
import type { Model } from './model.js';
import type { World } from './world.js';

/** Everything that calls on a world change: bytes, allocator, records, and the model. */
export interface WorldCopy {
  readonly bytes: Uint8Array;
  readonly frames: Uint8Array;
  readonly records: Uint8Array;
  readonly model: Model;
}

function views({ memory, frames, pageBytes }: World): Uint8Array[] {
  const base = BigInt(frames.first) << BigInt(frames.pageShift);
  return [
    memory.bytesAt(base, frames.frames * pageBytes),
    new Uint8Array(frames.state),
    new Uint8Array(TableRecords.of(frames).state),
  ];
}

/** Copies a world while no batch owes a flush: what a batch holds is kept nowhere else. */
export function copyWorld(world: World): WorldCopy {
  if (world.batches.some((batch) => batch.isPending)) throw new Error('a batch owes a flush');
  const [bytes, frames, records] = views(world).map((view) => view.slice()) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  return { bytes, frames, records, model: world.model };
}

/** Puts a world back, and lets its caches forget everything. */
export function putBack(world: World, copy: WorldCopy): void {
  for (const batch of world.batches) if (batch.isPending) batch.done();
  const [bytes, frames, records] = views(world) as [Uint8Array, Uint8Array, Uint8Array];
  bytes.set(copy.bytes);
  frames.set(copy.frames);
  records.set(copy.records);
  world.model = copy.model;
  world.tlb.clear();
  world.watch.clear();
}
