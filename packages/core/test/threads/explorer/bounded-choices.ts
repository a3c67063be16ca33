import { DEATH, Kind } from './board.js';
import type { Next, Taken } from './choices.js';

/** An execution that was run. */
interface Run {
  readonly steps: readonly Taken[];
  /** Steps that were given: what else there is before them, another execution has found. */
  readonly given: number;
  /** How many words were shared when it was looked at. */
  shared: number;
}

/**
 * Chooses the executions with so many preemptions at most: one is where a thread that could go on does not.
 *
 * A thread is preempted only before a step at a word that several threads use, one of which writes it. Before any other step it could
 * as well be preempted after it: the steps of the others may change places with it. Which words these are, the executions show. When there
 * is a new one, all are looked at again. No thread dies.
 */
export class BoundedChoices {
  readonly #most: number;
  readonly #runs: Run[] = [];
  readonly #waiting: (readonly number[])[] = [[]];
  readonly #seen: Set<string> = new Set(['']);
  /** Of each word, the threads that use it, and above them those that write it: a bit for each. */
  readonly #users: Map<number, number> = new Map();
  readonly #shared: Set<number> = new Set();
  #given = 0;

  /** @param most - preemptions of an execution. */
  constructor(most: number) {
    this.#most = most;
  }

  next(): Next | null {
    if (this.#waiting.length === 0)
      for (const run of this.#runs) if (run.shared < this.#shared.size) this.#look(run);
    const given = this.#waiting.pop();
    if (given === undefined) return null;
    this.#given = given.length;
    return { given, asleep: [] };
  }

  /** Takes the steps of an execution, and finds which other ones there are. */
  take(steps: readonly Taken[]): void {
    for (const step of steps) this.#use(step);
    const run = { steps, given: this.#given, shared: 0 };
    this.#runs.push(run);
    this.#look(run);
  }

  #use({ by, kind, word, length }: Taken): void {
    const writes = kind === Kind.load || kind === Kind.wait ? 0 : 1 << (DEATH + by);
    for (let at = word; at < word + length; at++) {
      const users = (this.#users.get(at) ?? 0) | (1 << by) | writes;
      this.#users.set(at, users);
      const threads = users & ((1 << DEATH) - 1);
      if (users >> DEATH !== 0 && (threads & (threads - 1)) !== 0) this.#shared.add(at);
    }
  }

  #look(run: Run): void {
    const { steps } = run;
    run.shared = this.#shared.size;
    let preemptions = 0;
    steps.forEach((step, at) => {
      const last = steps[at - 1];
      const couldGoOn = last !== undefined && ((step.enabled >> last.by) & 1) === 1;
      if (at >= run.given) {
        // Who could go on goes on by itself.
        const isPreemption = couldGoOn;
        if (!isPreemption || (preemptions < this.#most && this.#isShared(step)))
          for (let by = 0; by < DEATH; by++)
            if (by !== step.by && ((step.enabled >> by) & 1) === 1) this.#add(steps, at, by);
      }
      if (couldGoOn && last.by !== step.by) preemptions++;
    });
  }

  #isShared({ word, length }: Taken): boolean {
    for (let at = word; at < word + length; at++) if (this.#shared.has(at)) return true;
    return false;
  }

  #add(steps: readonly Taken[], at: number, by: number): void {
    const given = [...steps.slice(0, at).map((step) => step.by), by];
    const key = String.fromCharCode(...given.map((one) => 48 + one));
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#waiting.push(given);
  }
}

/** How often a thread that could go on did not. */
export function preemptionsOf(steps: readonly Taken[]): number {
  return steps.filter(({ by, enabled }, at) => {
    const last = steps[at - 1];
    return last !== undefined && last.by !== by && ((enabled >> last.by) & 1) === 1;
  }).length;
}
