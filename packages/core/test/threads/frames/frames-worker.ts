import { parentPort, workerData } from 'node:worker_threads';
import { VmError } from '../../../src/errors.js';
import { adoptFrames } from '../../../src/memory/frames/shared/describe-frames.js';
import { ThreadGroup } from '../../../src/threads/thread-group.js';
import { type Seen, Signal, type Told } from './frames-words.js';
import { sharingOf } from './support.js';

const MOST_BLOCKS = 60;

const told = workerData as Told;
const group = new ThreadGroup(told.buffers, told.invitation);
const frames = adoptFrames(told.description, sharingOf(group));
const owners = new Int32Array(told.owners);
const signals = new Int32Array(told.signals);
const me = group.slot + 1;
const blocks: (readonly [pfn: number, order: number])[] = [];
let random = told.seed;
let conflicts = 0;
let taken = 0;
let held = 0;

function draw(below: number): number {
  random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
  return (random >>> 8) % below;
}

/** Puts one owner in place of another, in all frames of a block. */
function mark(pfn: number, order: number, from: number, to: number): void {
  for (let i = 0; i < 2 ** order; i++)
    if (Atomics.compareExchange(owners, pfn - frames.first + i, from, to) !== from) {
      conflicts++;
      Atomics.add(signals, Signal.conflicts, 1);
    }
}

function got(pfn: number, order: number): void {
  mark(pfn, order, 0, me);
  blocks.push([pfn, order]);
  held += 2 ** order;
  taken++;
}

function take(): void {
  const order = Math.max(0, draw(12) - 8);
  if (draw(4) === 0) for (const pfn of frames.tryAllocateMany(1 + draw(50)) ?? []) got(pfn, 0);
  else {
    const pfn = frames.tryAllocate(order);
    if (pfn >= 0) got(pfn, order);
  }
}

/** Frees blocks. When it is refused, the thread still has them. */
function give(list: typeof blocks, call: () => void): void {
  for (const [pfn, order] of list) mark(pfn, order, me, 0);
  try {
    call();
  } catch (error) {
    for (const [pfn, order] of list) mark(pfn, order, 0, me);
    blocks.push(...list);
    throw error;
  }
  for (const [, order] of list) held -= 2 ** order;
}

function free(): void {
  const at = draw(blocks.length);
  const [block] = blocks.splice(at, 1) as [(typeof blocks)[number]];
  if (block[1] > 0 || draw(3) > 0) give([block], () => frames.free(...block));
  else {
    const singles = blocks.filter(([, order]) => order === 0).slice(0, draw(40));
    for (const one of singles) blocks.splice(blocks.indexOf(one), 1);
    const list = [block, ...singles];
    give(list, () => frames.freeMany(list.map(([pfn]) => pfn)));
  }
}

/** A call that meets a dead thread's lock waits for the recovery. */
function tryTo(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof VmError && error.code === 'EOWNERDEAD')) throw error;
    Atomics.wait(signals, Signal.stop, 0, 1);
  }
}

function pause(): void {
  Atomics.store(signals, Signal.held, held);
  Atomics.store(signals, Signal.isPaused, 1);
  while (Atomics.load(signals, Signal.pause) === 1) Atomics.wait(signals, Signal.pause, 1, 50);
  Atomics.store(signals, Signal.isPaused, 0);
}

if (told.isInCall) group.sections.enter();
Atomics.add(signals, Signal.running, 1);
for (let round = 0; round !== told.rounds && Atomics.load(signals, Signal.stop) === 0; round++) {
  if (told.rounds === null && !told.isInCall && Atomics.load(signals, Signal.pause) === 1) pause();
  const takes = blocks.length === 0 || (blocks.length < MOST_BLOCKS && draw(2) === 0);
  tryTo(takes ? take : free);
}
while (blocks.length > 0) tryTo(free);
if (told.isInCall) group.sections.leave();
group.leave();
parentPort?.postMessage({ conflicts, taken } satisfies Seen);
