import { type AddressSpace, VM_SPARSE, type VmArea } from '@vmarea/core';
import { CheckError } from '../../errors.js';
import { STREAM, scatter } from '../scatter.js';
import { FIRST_FRAME } from '../size.js';
import type { WorkName } from './job.js';

/** Pages of one call in private areas. */
const CALL_PAGES = 64;

/** What one worker needs for its rounds. */
export interface Place {
  readonly kernel: AddressSpace;
  readonly index: number;
  readonly pages: number;
  readonly seed: number;
  /** The sparse area that all workers populate. */
  readonly shared: VmArea;
}

/** A round of one worker: the timed part, and what follows it without being timed. */
export interface WorkerRound {
  run(active: number): void;
  check(active: number): void;
}

/** Makes the rounds of a work, with all that they need. */
export function openWork(name: WorkName, place: Place): WorkerRound {
  return name === 'private' ? privateAreas(place) : oneSparseArea(place);
}

/** Maps and unmaps pages of an area of its own, 64 pages a call. */
function privateAreas(place: Place): WorkerRound {
  const { kernel, pages } = place;
  const area = kernel.getVmArea(pages * 2 ** table.format.pageShift, VM_SPARSE);
  const frames = framesOf(place);
  const pieces = Array.from({ length: pages / CALL_PAGES }, (_, i) =>
    frames.subarray(i * CALL_PAGES, (i + 1) * CALL_PAGES),
  );
  return {
    run() {
      for (const [i, piece] of pieces.entries()) area.map(i * CALL_PAGES, piece);
      for (let i = 0; i < pieces.length; i++) area.unmap(i * CALL_PAGES, CALL_PAGES);
    },
    check() {
      if (area.frameAt(pages - 1) !== -1) throw new CheckError('a page of a private area is still mapped');
    },
  };
}

/** Populates single pages of one area. Neighbouring pages belong to different workers. */
function oneSparseArea(place: Place): WorkerRound {
  const { index, pages, shared } = place;
  const frames = framesOf(place);
  return {
    run(active) {
      for (let i = 0; i < pages; i++) shared.map(i * active + index, frames[i] as number);
    },
    check(active) {
      for (const i of [0, pages >> 1, pages - 1]) {
        const found = shared.frameAt(i * active + index);
        if (found !== frames[i])
          throw new CheckError(`page ${i * active + index} maps frame ${found}, expected ${frames[i]}`);
      }
      for (let i = 0; i < pages; i++) shared.unmap(i * active + index, 1);
    },
  };
}

/** Frames in an order without runs, others for each worker. */
function framesOf({ pages, seed, index }: Place): Uint32Array {
  const order = scatter(2 * pages, seed, STREAM.frames);
  return Uint32Array.from({ length: pages }, (_, i) => FIRST_FRAME + 2 * pages * index + order.at(i));
}
