import { CheckError } from '@vmarea/cli';
import { type AddressSpace, VM_SPARSE, type VmArea } from '@vmarea/core';
import type { WorkerRound } from '../../workers/rounds.js';
import { STREAM, scatter } from '../scatter.js';
import { FIRST_FRAME } from '../size.js';
import { CALL_PAGES, pagesOfRound, type WorkName } from './job.js';

/** What one worker needs for its rounds. */
export interface Place {
  /** The address space that all workers use. */
  readonly kernel: AddressSpace;
  /** One that no other worker uses, made in the same way. */
  readonly own: AddressSpace;
  readonly index: number;
  readonly pages: number;
  readonly seed: number;
  /** The sparse area that all workers populate. */
  readonly shared: VmArea;
}

/** Makes the rounds of a work, with all that they need. */
export function openWork(name: WorkName, place: Place): WorkerRound {
  if (name === 'sparse')
    return oneSparseArea(place, scatter(place.pages, place.seed + place.index, STREAM.places).at);
  if (name === 'neighbours') return oneSparseArea(place, (i) => i);
  return ownArea(name === 'apart' ? place.own : place.kernel, place);
}

/** Maps and unmaps pages of an area of its own, 64 pages a call. */
function ownArea(kernel: AddressSpace, place: Place): WorkerRound {
  const { pages } = place;
  const { format } = kernel.table;
  const area = kernel.getVmArea(pages * 2 ** format.pageShift, VM_SPARSE);
  const frames = framesOf(place);
  const pieces = Array.from({ length: pages / CALL_PAGES }, (_, i) =>
    frames.subarray(i * CALL_PAGES, (i + 1) * CALL_PAGES),
  );
  const turns = pagesOfRound('private', pages) / pages;
  const map = (): void => {
    for (let i = 0; i < pieces.length; i++) area.map(i * CALL_PAGES, pieces[i] as Uint32Array);
  };
  const unmap = (): void => {
    for (let i = 0; i < pieces.length; i++) area.unmap(i * CALL_PAGES, CALL_PAGES);
  };
  return {
    run() {
      for (let turn = 0; turn < turns; turn++) {
        map();
        unmap();
      }
    },
    check() {
      for (const page of samplesOf(pages)) requireFrame(area, page, -1);
      map();
      for (const page of samplesOf(pages)) requireFrame(area, page, frames[page] as number);
      unmap();
    },
    end: () => kernel.freeVmArea(area),
  };
}

/**
 * Populates single pages of one area. Neighbouring pages belong to different workers.
 *
 * @param order - which of its pages a worker maps as its nth.
 */
function oneSparseArea(place: Place, order: (nth: number) => number): WorkerRound {
  const { index, pages, shared } = place;
  const frames = framesOf(place);
  const own = Uint32Array.from({ length: pages }, (_, i) => order(i));
  return {
    run(active) {
      for (let i = 0; i < pages; i++) shared.map((own[i] as number) * active + index, frames[i] as number);
    },
    check(active) {
      const pageOf = (i: number): number => (own[i] as number) * active + index;
      for (const i of samplesOf(pages)) requireFrame(shared, pageOf(i), frames[i] as number);
      for (let i = 0; i < pages; i++) shared.unmap(pageOf(i), 1);
      for (const i of samplesOf(pages)) requireFrame(shared, pageOf(i), -1);
    },
    end() {},
  };
}

/** Pages that a check looks at. */
function samplesOf(pages: number): readonly number[] {
  return [0, 1, pages >> 1, pages - 1];
}

function requireFrame(area: VmArea, page: number, frame: number): void {
  const found = area.frameAt(page);
  const shown = (pfn: number): string => (pfn < 0 ? 'no frame' : `frame ${pfn}`);
  if (found !== frame) throw new CheckError(`page ${page} maps ${shown(found)} instead of ${shown(frame)}`);
}

/** Frames in an order without runs, others for each worker. */
function framesOf({ pages, seed, index }: Place): Uint32Array {
  const order = scatter(2 * pages, seed, STREAM.frames);
  return Uint32Array.from({ length: pages }, (_, i) => FIRST_FRAME + 2 * pages * index + order.at(i));
}
