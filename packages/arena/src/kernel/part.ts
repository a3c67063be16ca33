import type { RobustLock, SharedPart } from '@vmarea/core';
import { SlotState } from '../slots/slot-states.js';
import type { ArenaCore } from './core.js';
import { carryPages, takePages } from './free.js';
import { type Sharing, Step, type StepValue } from './sharing.js';
import { Word } from './words.js';

/** A range of slots that a dead thread was working on. */
interface Left {
  readonly slot: number;
  readonly pages: number;
  readonly step: StepValue;
}

/** An arena of several threads, as `recover` and `check` of core see it. */
export class ArenaPart implements SharedPart {
  readonly name: string;
  readonly rank = 1;
  readonly number: number;
  readonly locks: readonly RobustLock[];
  readonly #core: ArenaCore;
  readonly #sharing: Sharing;

  constructor(core: ArenaCore, sharing: Sharing, number: number) {
    this.name = `the arena at 0x${core.window.start.toString(16)}`;
    this.number = number;
    this.locks = [sharing.users, sharing.lock];
    this.#core = core;
    this.#sharing = sharing;
  }

  get isBusy(): boolean {
    return this.#core.calls > 0;
  }

  /**
   * Ends what dead threads began: an allocation that did not return is undone, a free is finished.
   *
   * @throws what a sink throws: the recovery can be repeated.
   */
  mend(dead: readonly number[]): readonly string[] {
    const core = this.#core;
    if (core.isDestroyed) return [];
    const done: string[] = [];
    const work = this.#interrupted(dead);
    if (work !== null) {
      this.#finish(work);
      done.push(textOf(work));
    }
    for (const left of this.#held(dead)) {
      this.#finish(left);
      done.push(textOf(left));
    }
    // The ranges of a call that was cut off are torn.
    if (work !== null) this.#sharing.end();
    core.users.mend();
    this.#clearLeft();
    this.#count();
    return done;
  }

  /** What a dead owner of the lock was doing; `null` for nothing. Its ranges are made anew. */
  #interrupted(dead: readonly number[]): Left | null {
    const core = this.#core;
    const { header } = core.words;
    const step = header[Word.work] as StepValue;
    if (step === Step.nothing) return null;
    const left = { step, slot: header[Word.workSlot] as number, pages: header[Word.workPages] as number };
    core.spans.keep(header[Word.workSpans] as number);
    // A call that meets a range of somebody else is refused before it changes anything.
    const isRefused = this.#isOthers(left, dead);
    if (!isRefused) core.slots.mark(left.slot, left.pages, false);
    core.slots.rebuild();
    if (isRefused) return null;
    core.slots.hold(left.slot, left.pages);
    this.#sharing.hold(left.slot, step);
    return left;
  }

  /**
   * True when a slot of a span belongs to a range of somebody else: the call of the dead thread was refused, then, before it changed
   * anything. A range that is the span itself may be its own.
   */
  #isOthers({ slot, pages, step }: Left, dead: readonly number[]): boolean {
    const { slots } = this.#core;
    const sharing = this.#sharing;
    for (
      let at = slots.firstRange(slot, slot + pages);
      at >= 0 && at < slot + pages;
      at = slots.nextRange(at + 1)
    ) {
      if (slots.lengthAt(at) >= 0 || !sharing.isHeld(at)) continue;
      // One that waited for the worker is that of a worker which has taken it from the queue.
      const isDead = dead.includes(sharing.holderOf(at)) || (step === Step.free && sharing.isQueued(at));
      if (at !== slot || slots.lengthAt(at) !== -pages || !isDead) return true;
    }
    return false;
  }

  /** The ranges that dead threads hold. */
  #held(dead: readonly number[]): Left[] {
    const { slots } = this.#core;
    const found: Left[] = [];
    for (let at = slots.nextRange(0); at >= 0; at = slots.nextRange(at + 1)) {
      const length = slots.lengthAt(at);
      if (length < 0 && dead.includes(this.#sharing.holderOf(at)))
        found.push({ slot: at, pages: -length, step: this.#sharing.stepOf(at) });
    }
    return found;
  }

  #finish({ slot, pages, step }: Left): void {
    const core = this.#core;
    const sharing = this.#sharing;
    if (step !== Step.fault) {
      const low = core.lowOf(slot);
      carryPages(core, low, slot, pages);
      takePages(core, low, pages);
      core.flush(low, pages);
      core.users.zap(slot, pages);
      for (let at = slot; at < slot + pages; at++) {
        const pfn = sharing.carriedAt(at);
        if (pfn < 0) continue;
        this.#dropExcess(pfn, 1);
        core.pages.settle(pfn);
      }
      sharing.drop(slot, pages);
    } else {
      const pfn = core.window.frameAt(core.lowOf(slot));
      if (pfn >= 0) this.#dropExcess(pfn, 1 + core.users.countAt(slot, pfn));
    }
    if (step === Step.alloc || step === Step.free) core.slots.makeAvailable(slot, pages);
    else core.slots.removeUnavailable(slot, pages);
    sharing.hold(slot, Step.nothing);
  }

  /**
   * Takes references that nobody has: a thread that maps a page takes one before, and who unmaps a page gives one back after, so a death
   * in between leaves one too many.
   */
  #dropExcess(pfn: number, users: number): void {
    const { references } = this.#core.pages;
    for (let excess = references.count(pfn) - users; excess > 0; excess--) references.put(pfn);
  }

  /** Clears entries of slots that are available: the release of the arena gives slots back before it clears their entries. */
  #clearLeft(): void {
    const core = this.#core;
    const { slots } = core;
    if (core.isLate || core.userPages === 0) return;
    for (let at = slots.nextRange(0); at >= 0; at = slots.nextRange(at + 1)) {
      const length = slots.lengthAt(at);
      if (length <= 0) continue;
      const low = core.lowOf(at);
      const frames = takePages(core, low, length);
      if (frames.length === 0) continue;
      core.flush(low, length);
      core.users.zap(at, length);
      core.pages.free(frames);
    }
  }

  /** Counts pages and scratch entries anew. */
  #count(): void {
    const { header } = this.#core.words;
    const { pages, scratched } = this.#counted();
    header[Word.pages] = pages;
    header[Word.scratched] = scratched;
  }

  #counted(): { readonly pages: number; readonly scratched: number } {
    const { window, scratch } = this.#core;
    const frames = window.frames();
    const scratched = frames.reduce((sum, frame) => sum + (frame === scratch ? 1 : 0), 0);
    return { pages: frames.length - scratched, scratched };
  }

  /** Compares slots, ranges, entries, counts and references. */
  check(): readonly string[] {
    const core = this.#core;
    const { slots, window, scratch, maxEntries } = core;
    if (core.isDestroyed) return [];
    const texts: string[] = [];
    const { pages, scratched } = this.#counted();
    if (pages !== core.mapped) texts.push(`${pages} pages are mapped, and ${core.mapped} are counted`);
    if (scratched !== core.scratched)
      texts.push(`${scratched} entries hold the scratch page, and ${core.scratched} are counted`);
    if (core.words.header[Word.work] !== Step.nothing) texts.push('a call under the lock is not finished');
    texts.push(...slots.check(), ...core.users.check());
    for (let at = slots.nextRange(0); at >= 0 && texts.length < MOST_TEXTS; at = slots.nextRange(at + 1))
      if (slots.lengthAt(at) < 0 && !this.#sharing.isHeld(at))
        texts.push(`slots from ${at} on are unavailable, and nobody works on them`);
    for (let slot = 0; core.userPages > 0 && slot < maxEntries && texts.length < MOST_TEXTS; slot++) {
      const state = slots.stateOf(slot);
      const frame = window.frameAt(core.lowOf(slot));
      if (frame < 0 || frame === scratch) continue;
      if (state === SlotState.available) texts.push(`slot ${slot} is available, and its page is mapped`);
      if (core.pages.references.count(frame) === 0)
        texts.push(`frame 0x${frame.toString(16)} of slot ${slot} has no reference`);
    }
    return texts;
  }
}

/** More say no more. */
const MOST_TEXTS = 100;

function textOf({ slot, pages, step }: Left): string {
  const what = {
    [Step.nothing]: 'nothing',
    [Step.alloc]: 'an allocation was undone',
    [Step.free]: 'a free was finished',
    [Step.populate]: 'a fault was undone',
    [Step.fault]: 'a fault was ended',
  };
  return `${what[step]}: ${pages === 1 ? `slot ${slot}` : `slots ${slot} to ${slot + pages - 1}`}`;
}
