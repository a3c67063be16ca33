import {
  AddressSpace,
  FrameAllocator,
  PhysicalMemory,
  prepareTables,
  type Threads,
  VM_SPARSE,
  type VmArea,
} from '../../../../src/index.js';
import type { ThreadCase } from '../thread-case.js';
import { codeOr, expect } from './group.js';
import { type Rooms, type RoomsBody, roomsCase } from './rooms.js';
import { small, smallLinux } from './small-format.js';

const PAGE = 64n;
/** Where the first area is, and where the second one goes. */
const FIRST: bigint = smallLinux.window.start;
const SECOND: bigint = FIRST + 2n * PAGE;
/** What threads map. */
const FRAME = 5;

/** A space with one sparse area of one page. Its table is there, and so is that of the next areas. */
function begun(threads: Threads): { kernel: AddressSpace } {
  const memory = PhysicalMemory.create({ bytes: 4096, shared: true });
  const frames = new FrameAllocator(memory, { pageShift: 6, threads });
  const kernel = new AddressSpace({ format: small, linux: smallLinux, memory, frames, threads });
  prepareTables(AddressSpace.spaceOf(kernel).table, FIRST, 8n * PAGE);
  const area = kernel.getVmArea(PAGE, VM_SPARSE);
  expect(area.addr === FIRST, `the first area is at ${area.addr}`);
  return { kernel };
}

const kernelOf = ({ kernel }: Rooms): AddressSpace => kernel as AddressSpace;
const firstOf = (rooms: Rooms): VmArea => kernelOf(rooms).findVmArea(FIRST) as VmArea;

/** Reserves an area. */
const reserving: RoomsBody = (rooms) => () =>
  codeOr(() => `at ${kernelOf(rooms).getVmArea(PAGE, VM_SPARSE).addr}`);

/** Looks for the second area. */
const looking: RoomsBody = (rooms) => () =>
  codeOr(() => (kernelOf(rooms).findVmArea(SECOND) === null ? 'nothing' : 'found'));

/** Frees the first area. */
const freeing: RoomsBody = (rooms) => {
  const area = firstOf(rooms);
  return () =>
    codeOr(() => {
      kernelOf(rooms).freeVmArea(area);
      return 'freed';
    });
};

/** Maps the page of the first area. */
const mapping: RoomsBody = (rooms) => {
  const area = firstOf(rooms);
  return () =>
    codeOr(() => {
      area.map(0, [FRAME]);
      return 'mapped';
    });
};

/** The areas are those that the outcomes tell of, and a page is mapped in a live area only. */
function finish(rooms: Rooms, outcomes: readonly string[]): void {
  const kernel = kernelOf(rooms);
  const at = outcomes.flatMap((outcome) => (outcome.startsWith('at ') ? [outcome.slice(3)] : []));
  expect(new Set(at).size === at.length, `two areas at ${at}`);
  for (const address of at) expect(kernel.findVmArea(BigInt(address)) !== null, `no area at ${address}`);
  if (outcomes.includes('died')) return;
  const isFreed = outcomes.includes('freed');
  if (isFreed) expect(kernel.findVmArea(FIRST) === null, 'the area is freed, and there');
  // `freed` and `mapped`: the page went with the area.
  const isMapped = kernel.vmallocToPage(FIRST) !== null;
  const isThere = outcomes.includes('mapped') && !isFreed;
  expect(isMapped === isThere, isMapped ? 'a page is mapped that nobody has mapped' : 'a page is lost');
}

export const cases: Record<string, ThreadCase> = {
  'one reserves an area, one looks for it': roomsCase({ make: begun, bodies: [reserving, looking], finish }),
  'one reserves an area and dies, one looks for it': roomsCase({
    make: begun,
    bodies: [reserving, looking],
    mortal: [0],
    finish,
  }),
  'two reserve areas': roomsCase({ make: begun, bodies: [reserving, reserving], finish }),
  'one maps a page of an area, one frees the area': roomsCase({
    make: begun,
    bodies: [mapping, freeing],
    timeouts: 1,
    finish,
  }),
  'one maps a page of an area and dies, one frees the area': roomsCase({
    make: begun,
    bodies: [mapping, freeing],
    mortal: [0],
    isLong: true,
    timeouts: 1,
    finish,
  }),
  'one maps a page of an area, one frees the area and dies': roomsCase({
    make: begun,
    bodies: [mapping, freeing],
    mortal: [1],
    isLong: true,
    timeouts: 1,
    finish,
  }),
};
