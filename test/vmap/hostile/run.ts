import { SeededRandom } from '@vmarea/conformance';
import { callsOf } from './calls.js';
import { Judge, type State } from './judge.js';
import { type Attempt, type Call, kitOf } from './kit.js';
import { Escape } from './planted.js';
import { type Watch, World } from './world.js';

/** Calls after which a world is ended, its frames are counted, and another one begins. */
const CALLS_OF_WORLD = 4000;
/** With more live ranges than this, calls that free come more often. */
const MANY = 24;
const FREEING = [
  'freeVmArea',
  'removeVmArea',
  'vfree',
  'vunmap',
  'iounmap',
  'vmUnmapRam',
  'pcpuFreeVmAreas',
  'vmUnmapAliases',
];
/** Calls that are made only once in so many times, since each ends or makes a world. */
const SELDOM: Readonly<Record<string, number>> = {
  destroy: 200,
  constructor: 10,
  shrinkPools: 4,
  'VmArea.members': 4,
};

/** The results of a run. */
export interface Report {
  readonly seed: number;
  calls: number;
  /** Calls that were made from within another one. */
  nested: number;
  successes: number;
  readonly refusals: Map<string, number>;
  readonly byCall: Map<string, { successes: number; refusals: number }>;
  /** Refused calls that were checked by a hash of all bytes. */
  hashes: number;
  /** Walks of all tables. */
  walks: number;
}

/** How hard a run looks. */
export interface Effort {
  readonly calls: number;
  readonly seed: number;
  /** All tables are walked after every so many successful calls. */
  readonly walkEvery: number;
}

/** Makes random calls on machines of one configuration. @throws Escape, naming seed and call. */
export function runHostile(
  name: string,
  { calls, seed, walkEvery }: Effort,
  watch: Watch | null = null,
): Report {
  const report: Report = {
    ...{ seed, calls: 0, nested: 0, successes: 0, hashes: 0, walks: 0 },
    ...{ refusals: new Map(), byCall: new Map() },
  };
  const dice = new SeededRandom(seed);
  while (report.calls < calls) {
    const round = new Round(name, dice, report, walkEvery, watch);
    try {
      for (let i = 0; i < CALLS_OF_WORLD && report.calls < calls && !round.isOver; i++) round.next();
      round.end();
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      throw new Escape(`${name}, seed ${seed}, call ${report.calls} (${round.running.join(' > ')}): ${text}`);
    }
  }
  return report;
}

/** One world, from its first call to its end. */
class Round {
  /** Names of the calls that run, the outermost first. */
  running: string[] = [];
  readonly #world: World;
  readonly #judge: Judge;
  readonly #calls: ReadonlyMap<string, Call>;
  readonly #names: readonly string[];
  readonly #report: Report;
  readonly #walkEvery: number;
  #last: State;
  /** What a nested call found: it must not be lost in a call that catches errors. */
  #escape: unknown = null;

  constructor(name: string, dice: SeededRandom, report: Report, walkEvery: number, watch: Watch | null) {
    const world = new World(name, dice, watch);
    const calls = callsOf(kitOf(world));
    this.#world = world;
    this.#judge = new Judge(world);
    this.#calls = new Map(Object.entries(calls));
    this.#names = [...this.#calls.keys()];
    this.#report = report;
    this.#walkEvery = walkEvery;
    this.#last = this.#judge.state(false);
    world.callBack = () => this.#callBack();
  }

  get isOver(): boolean {
    return this.#world.isGone;
  }

  /** Makes one call and judges it. */
  next(): void {
    const { dice, model, arrays } = this.#world;
    this.running = [];
    arrays.length = 0;
    this.#world.target = null;
    this.#world.mayThrowInSink = dice.oneIn(50);
    if (dice.oneIn(8)) this.#hold();
    const name = model.live.length > MANY && dice.oneIn(3) ? dice.of(FREEING) : dice.of(this.#names);
    const seldom = SELDOM[name];
    if (seldom !== undefined && !dice.oneIn(seldom)) return;
    this.#report.calls++;
    this.#make(name);
    if (this.#escape !== null) throw this.#escape;
    this.#world.watcher?.check();
    // Removed and held frames are freed now and then: memory must not run out for good.
    if (dice.oneIn(40)) this.#giveBack();
  }

  /** Frees what is live, by the call of its kind, and counts. */
  end(): void {
    const { kernel, model, frames, ram, isGone } = this.#world;
    this.running = ['end'];
    this.#world.isEnding = true;
    this.#world.mayThrowInSink = false;
    this.#world.callBack = () => {};
    if (!isGone) {
      this.#judge.whole();
      for (const one of model.live.filter(({ parent }) => parent === null)) {
        if (one.kind === 'ram') kernel.vmUnmapRam(one.start, Number(one.bytes / this.#world.pages));
        else if (one.owned > 0 || one.kind === 'lazy') kernel.vfree(one.start);
        else kernel.freeVmArea(one.handle as never);
        model.remove(one);
      }
      this.#judge.whole();
      kernel.destroy();
    }
    this.#giveBack();
    this.#world.watcher?.check();
    for (const one of [frames, ram])
      if (one.stats().allocated !== 0)
        throw new Escape(`${one.stats().allocated} frames were never given back`);
  }

  #make(name: string): void {
    const { dice } = this.#world;
    this.running.push(name);
    const isNested = this.running.length > 1;
    const attempt = (this.#calls.get(name) as Call)();
    // A root that is made and freed again counts in the records of owners.
    const isHashed =
      !isNested && attempt.makesRoot !== true && (this.#report.calls % 1000 === 0 || dice.oneIn(100));
    const isWhole = isHashed || dice.oneIn(10);
    const before =
      isNested || isWhole || attempt.makesRoot === true ? this.#judge.state(isWhole) : this.#last;
    const hash = isHashed ? this.#judge.hash() : '';
    const changes = this.#world.changes;
    let code = 'none';

    let isOfSink = false;
    let result: unknown;
    try {
      result = attempt.run();
    } catch (error) {
      ({ code, isOfSink } = this.#judge.codeOf(error));
    }
    if (this.#escape !== null) throw this.#escape;
    this.#count(name, code);
    if (code === 'none') this.#succeeded(attempt, result, before, isNested);
    else
      this.#refused(
        attempt,
        { code, isOfSink },
        { before, hash, isSound: changes === this.#world.changes },
        isNested,
      );
    this.running.pop();
  }

  #succeeded(attempt: Attempt, result: unknown, before: State, isNested: boolean): void {
    attempt.settle?.(result);
    if (this.#world.isGone) return;
    const after = this.#judge.state(isNested);
    // A refused call may have purged.
    if (before.frames !== after.frames || attempt.settle !== undefined || differ(before, after))
      this.#world.changes++;
    this.#last = after;
    if (isNested || this.#report.successes % this.#walkEvery !== 0) return;
    this.#report.walks++;
    this.#judge.whole();
  }

  #refused(
    attempt: Attempt,
    { code, isOfSink }: { code: string; isOfSink: boolean },
    { before, hash, isSound }: { before: State; hash: string; isSound: boolean },
    isNested: boolean,
  ): void {
    const { writesFirst = false, frees } = attempt;
    if (this.#world.isGone) return;
    const after = this.#judge.state(before.text !== null);
    if (!isSound && writesFirst) {
      // A nested call has changed the state in the middle of this one.
    } else if (isOfSink) {
      this.#world.settleFreed(Array.isArray(frees) ? frees : [frees]);
      this.#world.changes++;
      this.#last = after;
      if (!isNested) this.#judge.whole();
    } else {
      // A nested call that changed something is judged by itself; what it left is where this one began.
      this.#judge.refused(isSound ? before : this.#last, after, { code, isOfSink, writesFirst });
      if (hash !== '' && isSound) {
        this.#report.hashes++;
        if (this.#judge.hash() !== hash) throw new Escape(`a call refused with ${code} changed bytes`);
      }
    }
    // After a nested call that purged, the outer one starts from the new state.
    if (isNested && differ(before, after)) this.#world.changes++;
    if (!isNested || differ(before, after)) this.#last = after;
  }

  /** What a getter, a callback or a sink does: it frees the range of the running call, or makes any other call. */
  #callBack(): void {
    const { dice, model, target } = this.#world;
    if (this.running.length > 2 || this.#escape !== null) return;
    const one = target === null ? undefined : model.at(target);
    this.#report.nested++;
    const depth = this.running.length;
    try {
      if (one !== undefined && dice.oneIn(2)) {
        const name =
          one.kind === 'ram' ? 'vmUnmapRam' : one.owned > 0 || one.kind === 'lazy' ? 'vfree' : 'freeVmArea';
        this.#free(name, one.start);
      } else {
        const name = dice.of(this.#names);
        if (name !== 'destroy' && name !== 'constructor') this.#make(name);
      }
    } catch (error) {
      this.#escape ??= error;
    }
    this.running.length = depth;
    this.#world.target = target;
  }

  #free(name: string, start: bigint): void {
    const { kernel, model, pages } = this.#world;
    const one = model.at(start);
    if (one === undefined) return;
    this.running.push(name);
    try {
      if (name === 'vmUnmapRam') kernel.vmUnmapRam(start, Number(one.bytes / pages));
      else if (name === 'vfree') kernel.vfree(start);
      else kernel.freeVmArea(one.handle as never);
      model.remove(one);
      this.#world.changes++;
      this.#last = this.#judge.state(false);
    } catch (error) {
      if (this.#judge.codeOf(error).isOfSink) {
        this.#world.settleFreed([start]);
        this.#world.changes++;
        this.#last = this.#judge.state(false);
      }
    }
    this.running.pop();
  }

  /** Allocates frames that can be handed over. */
  #hold(): void {
    this.#world.hold(8);
    this.#last = this.#judge.state(false);
  }

  #giveBack(): void {
    const { model, ram } = this.#world;
    for (const { pfn, order } of model.held.splice(0)) ram.free(pfn, order);
    if (!this.#world.isGone) this.#last = this.#judge.state(false);
  }

  #count(name: string, code: string): void {
    const { refusals, byCall } = this.#report;
    const one = byCall.get(name) ?? { successes: 0, refusals: 0 };
    byCall.set(name, one);
    if (code === 'none') {
      this.#report.successes++;
      one.successes++;
    } else {
      refusals.set(code, (refusals.get(code) ?? 0) + 1);
      one.refusals++;
    }
  }
}

/** True when a call wrote, or flushed: then it changed something. */
function differ(before: State, after: State): boolean {
  return (
    before.counters.entriesWritten !== after.counters.entriesWritten ||
    before.counters.flushes !== after.counters.flushes
  );
}
