import { expect } from 'vitest';
import type { Action } from './apply.js';
import type { TableCall } from './call.js';
import { copyWorld, putBack } from './copy.js';
import { judge } from './judge.js';
import { perform } from './perform.js';
import { outcomeOf, predictIn, stageOf, stateOf, step } from './step.js';
import type { World } from './world.js';

/** Where a call can fail that is right by itself. */
type Fault = 'allocation' | 'sink' | 'callback';

/** Which allocation, flush or callback fails, from 1 on. */
const WHICH: Record<Fault, readonly number[]> = {
  allocation: [1, 2, 3, 4, 5, 6, 7],
  sink: [1, 2, 3],
  callback: [1, 2, 3, 4, 30, 520],
};

/** What each fault looks like to the caller. */
const REFUSAL: Record<Fault, string> = { allocation: 'ENOMEM', sink: 'expected', callback: 'thrown' };

/** What a sink throws that is told to fail. */
const BROKEN_SINK = new Error('the sink is broken');

/** Failures that were met, by operation and fault. */
export type Tally = Map<string, number>;

/** Makes the n-th allocation or flush fail from now on; the function that is returned ends that and says whether it did. */
function arm(world: World, fault: Fault, which: number): () => boolean {
  let left = which;
  const { frames } = world;
  if (fault === 'allocation') {
    const allocate = frames.tryAllocate.bind(frames);
    frames.tryAllocate = (order) => (--left <= 0 ? -1 : allocate(order));
  }
  if (fault === 'sink') {
    world.onFlush = () => {
      if (--left !== 0) return;
      // The harshest way to fail: it has forgotten nothing, and has just walked what stands there now.
      world.tlb.walkAgain();
      world.watch.look();
      throw BROKEN_SINK;
    };
  }
  return () => {
    Reflect.deleteProperty(frames, 'tryAllocate');
    world.onFlush = () => {};
    return left <= 0;
  };
}

/** The call, with a callback that throws at its n-th visit. */
function throwing(call: TableCall, which: number): TableCall {
  if (call.op !== 'applyToRange' && call.op !== 'applyToExisting') return call;
  const last = call.actions.length - 1;
  const before = Array.from({ length: which - 1 }, (_, i) => call.actions[Math.min(i, last)] as Action);
  return { ...call, actions: [...before, { do: 'throw' }] };
}

/** Makes a call that is going to fail once; true when it did. Then all is as before. */
function failOnce(world: World, call: TableCall, fault: Fault, which: number): boolean {
  world.tlb.walkAgain();
  const before = stateOf(world);
  const disarm = arm(world, fault, which);
  const made = fault === 'callback' ? throwing(call, which) : call;
  const outcome = outcomeOf(() => perform(stageOf(world), made), [BROKEN_SINK]);
  const wasMet = disarm();
  const hasFailed = fault === 'callback' ? outcome.refusal !== null : wasMet;
  if (!hasFailed) {
    expect(outcome.refusal, `${call.op} without the failure`).toBe(null);
    return false;
  }
  expect(outcome.refusal, `${call.op}, ${fault} ${which}`).toBe(REFUSAL[fault]);
  expect(stateOf(world), `after ${call.op}, ${fault} ${which}`).toBe(before);
  judge(world);
  return true;
}

/** Lets a call fail in every way that it can, each time from the same state, and then go through. */
export function injectInto(world: World, call: TableCall, tally: Tally): void {
  if (call.op === 'done') injectIntoDone(world, call, tally);
  else if (predictIn(world, call).refusal === null) {
    const copy = copyWorld(world);
    for (const fault of ['allocation', 'sink', 'callback'] as const) {
      if (fault === 'callback' && call.op !== 'applyToRange' && call.op !== 'applyToExisting') continue;
      for (const which of WHICH[fault]) {
        if (!failOnce(world, call, fault, which)) {
          putBack(world, copy);
          break;
        }
        count(tally, call, fault);
      }
    }
  }
  step(world, call);
}

/** What is owed stays owed when the sink fails. */
function injectIntoDone(world: World, call: TableCall, tally: Tally): void {
  for (const which of WHICH.sink) {
    if (!failOnce(world, call, 'sink', which)) return;
    count(tally, call, 'sink');
  }
}

function count(tally: Tally, { op }: TableCall, fault: Fault): void {
  const name = `${op}: ${fault}`;
  tally.set(name, (tally.get(name) ?? 0) + 1);
}
