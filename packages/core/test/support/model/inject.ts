import { expect } from 'vitest';
import { Thrown } from './apply.js';
import type { Begun } from './begun.js';
import type { TableCall } from './call.js';
import { judge } from './judge.js';
import { perform, type SlotSeen } from './perform.js';
import { expectUnchanged } from './state.js';
import { begin, finish, outcomeOf, settle, stageOf } from './step.js';
import { allOf, type World, watchBreaks } from './world.js';

/** Where a correct call can fail. */
type Fault = 'allocation' | 'sink' | 'callback';

/** What each fault looks like to the caller. */
const REFUSAL: Record<Fault, string> = { allocation: 'ENOMEM', sink: 'expected', callback: 'thrown' };

/** The error of a sink that must fail. */
const BROKEN_SINK = new Error('the sink is broken');

/** Failures that were met, by operation and fault. */
export type Tally = Map<string, number>;

/** With more chances to fail than this, only the first 12, some of the others and the last are tried. */
const ALL = 24;

/** Of the others every 13th is tried, or about so many. */
const OTHERS = 40;

/**
 * Makes a call fail at the n-th allocation, flush or callback, counted together, and all later allocations with it.
 *
 * @returns what failed; `null` when the call had fewer chances, and succeeded.
 */
function attempt(
  world: World,
  call: TableCall,
  which: number,
): { fault: Fault | null; outcome: ReturnType<typeof outcomeOf>; seen: SlotSeen[] } {
  let left = which;
  let fault: Fault | null = null;
  const isHit = (kind: Fault): boolean => {
    if (fault !== null || --left !== 0) return false;
    fault = kind;
    return true;
  };
  world.onAllocate = () => !isHit('allocation') && fault !== 'allocation';
  world.onFlush = () => {
    if (!isHit('sink')) return;
    // The worst way to fail: the TLB has dropped nothing, and has just walked the present entries.
    world.tlb.walkAgain();
    watchBreaks(world, allOf(world));
    throw BROKEN_SINK;
  };
  const seen: SlotSeen[] = [];
  const onVisit = (slot: SlotSeen): void => {
    if (isHit('callback')) throw new Thrown();
    seen.push(slot);
  };
  try {
    const outcome = outcomeOf(() => perform({ ...stageOf(world), onVisit }, call), [BROKEN_SINK]);
    return { fault, outcome, seen };
  } finally {
    world.onAllocate = () => true;
    world.onFlush = () => {};
    world.quiet();
  }
}

/** About how often a call can fail: by the model's number of callbacks and tables, and a flush. */
function chances({ expected, owed }: Begun, world: World, call: TableCall): number {
  if (call.op === 'done') return owed[call.batch] ?? 0;
  const isDeferred = 'batch' in call && call.batch >= 0;
  return expected.seen.length + world.model.frames - expected.after.frames + (isDeferred ? 0 : 1);
}

/**
 * Makes a call fail in every way that it can, each time from the same state, until it succeeds.
 *
 * @param family - under which name failures are counted.
 */
export function injectInto(world: World, call: TableCall, tally: Tally, family: string): void {
  const begun = begin(world, call);
  const isPending = begun.owed.some((ranges) => ranges > 0);
  const most = begun.expected.refusal === null ? chances(begun, world, call) : 0;
  for (let which = 1; ; which++) {
    const stride = Math.max(13, Math.ceil(most / OTHERS));
    const isTaken = most <= ALL || which <= 12 || (which - 12) % stride === 0 || which >= most - 1;
    if (!isTaken) continue;
    const flushes = world.flushes.length;
    world.tlb.named.clear();
    world.tlb.walkAgain();
    const { fault, outcome, seen } = attempt(world, call, which);
    if (fault === null || begun.expected.refusal !== null) {
      // A wrong call is refused for that, or for a failure that it met before.
      const isMet = fault !== null && outcome.refusal === REFUSAL[fault];
      if (isMet) expectUnchanged(world, begun.before, `after ${call.op}, ${fault} ${which}`);
      else settle(world, call, { ...begun, flushes }, outcome, seen);
      break;
    }
    const what = `${call.op}, ${fault} ${which}`;
    expect(outcome.refusal, what).toBe(REFUSAL[fault]);
    expectUnchanged(world, begun.before, `after ${what}`);
    judge(world);
    for (const name of [`${call.op}: ${fault}`, ...(isPending ? [`pending: ${fault}`] : [])]) {
      tally.set(`${family} ${name}`, (tally.get(`${family} ${name}`) ?? 0) + 1);
    }
    if (which > most + 64) throw new Error(`${call.op} never goes through`);
  }
  finish(world);
}
