import { DEATH, Kind, type Step, threadOf } from './board.js';

/** A step that was done. Its kind is what it has turned out to be. */
export interface Taken extends Step {
  /** The choices that were possible before it: a bit for each. */
  readonly enabled: number;
  /** Its kind before it was done. */
  readonly intended: number;
}

/** An execution to run: what comes first, and what need not come in place of the last of it. */
export interface Next {
  readonly given: readonly number[];
  readonly asleep: readonly Step[];
}

/** A state of the execution at hand, before one of its steps. */
interface Node {
  /** The step that is taken here now. */
  chosen: Step;
  /** Choices that are taken here, or were: a bit for each. */
  backtrack: number;
  /** Steps that need not be taken here any more. */
  readonly asleep: Map<number, Step>;
  /** Choices that are possible here. */
  readonly enabled: number;
  /** What each choice would do here. */
  readonly pending: ReadonlyMap<number, Step>;
  /** How many steps of each choice come before, and are ordered before the step; its own included. */
  clock: number[];
  /** Its number among the steps of the same choice, from 1. */
  place: number;
}

const CHOICES = 2 * DEATH;

/**
 * Chooses the executions: one for each order of steps that depend on each other.
 *
 * Source sets with sleep sets (Abdulla, Aronis, Jonsson, Sagonas: "Optimal dynamic partial order reduction",
 * 2014). A death is a choice before each step of a thread.
 */
export class Choices {
  readonly #nodes: Node[] = [];
  /** Nodes whose step is new: its races have not been looked for. */
  #new = 0;
  #isFirst = true;

  readonly #areDependent: (one: Step, other: Step) => boolean;

  constructor(areDependent: (one: Step, other: Step) => boolean) {
    this.#areDependent = areDependent;
  }

  /** What comes first in the next execution, and what need not come after it. `null` at the end. */
  next(): Next | null {
    if (this.#isFirst) {
      this.#isFirst = false;
      return { given: [], asleep: [] };
    }
    for (;;) {
      const node = this.#nodes.at(-1);
      if (node === undefined) return null;
      node.asleep.set(node.chosen.by, node.chosen);
      let left = node.backtrack & node.enabled;
      for (const by of node.asleep.keys()) left &= ~(1 << by);
      if (left !== 0) {
        const by = 31 - Math.clz32(left & -left);
        node.chosen = node.pending.get(by) as Step;
        this.#allow(node, by);
        this.#new = this.#nodes.length - 1;
        return { given: this.#nodes.map(({ chosen }) => chosen.by), asleep: [...node.asleep.values()] };
      }
      this.#nodes.pop();
    }
  }

  /**
   * Takes the steps of an execution, and finds which other orders there are.
   *
   * @param steps - all of them.
   * @param pending - what each choice would do after all.
   */
  take(steps: readonly Taken[], pending: ReadonlyMap<number, Step>): void {
    this.#nodes.forEach((node, at) => {
      const step = steps[at] as Taken;
      const { chosen } = node;
      const isSame = step.by === chosen.by && step.word === chosen.word && step.length === chosen.length;
      if (!isSame || (step.kind !== chosen.kind && step.intended !== chosen.kind))
        throw new Error(`step ${at} differs when it is run again`);
      node.chosen = step;
    });
    const befores = pendingBefore(steps, pending, this.#nodes.length);
    for (let at = this.#nodes.length; at < steps.length; at++) {
      const step = steps[at] as Taken;
      const parent = this.#nodes.at(-1);
      const node: Node = {
        ...{ chosen: step, backtrack: 0, enabled: step.enabled },
        asleep: parent === undefined ? new Map() : this.#asleepAfter(parent),
        ...{ pending: befores[at] as ReadonlyMap<number, Step>, clock: [], place: 0 },
      };
      this.#nodes.push(node);
      this.#allow(node, step.by);
    }
    for (let at = this.#new; at < this.#nodes.length; at++) this.#races(at);
    this.#new = this.#nodes.length;
  }

  /** The steps that need not come after a step: they were done before it, and do not depend on it. */
  #asleepAfter({ asleep, chosen }: Node): Map<number, Step> {
    return new Map([...asleep].filter(([, step]) => !this.#areDependent(step, chosen)));
  }

  /** Notes that a choice is taken, and with a step of a thread its death in place of the step. */
  #allow(node: Node, by: number): void {
    node.backtrack |= (1 << by) | ((by < DEATH ? 1 << (DEATH + by) : 0) & node.enabled);
  }

  /** Sets the clock of a step, and notes the orders in which it comes before a step that it depends on. */
  #races(at: number): void {
    const node = this.#nodes[at] as Node;
    const { chosen } = node;
    const clock: number[] = new Array(CHOICES).fill(0);
    const races: number[] = [];
    for (let before = at - 1; before >= 0; before--) {
      const other = this.#nodes[before] as Node;
      if (!this.#areDependent(other.chosen, chosen)) continue;
      const isOrdered = (clock[other.chosen.by] as number) >= other.place;
      if (!isOrdered && other.chosen.by !== chosen.by) races.push(before);
      for (let by = 0; by < CHOICES; by++)
        clock[by] = Math.max(clock[by] as number, other.clock[by] as number);
    }
    node.place = (clock[chosen.by] as number) + 1;
    clock[chosen.by] = node.place;
    node.clock = clock;
    // A race within the order of its own thread is none.
    for (const before of races) if (this.#isRace(before, at)) this.#reverse(before, at);
  }

  #isRace(before: number, at: number): boolean {
    const other = this.#nodes[before] as Node;
    const { chosen } = this.#nodes[at] as Node;
    if (chosen.kind !== Kind.wake) return true;
    // Who is woken could not go on before.
    const pending = other.pending.get(chosen.by);
    const isWaiting = pending !== undefined && pending.kind === Kind.wake;
    return !isWaiting || ((other.enabled >> chosen.by) & 1) === 1;
  }

  /** Notes at a state that a later step is to come before the step there. */
  #reverse(before: number, at: number): void {
    const node = this.#nodes[before] as Node;
    const initials = this.#initials(before, at);
    if ((initials & node.backtrack) !== 0) return;
    const possible = initials & node.enabled;
    const { by } = (this.#nodes[at] as Node).chosen;
    if (((possible >> by) & 1) === 1) node.backtrack |= 1 << by;
    else if (possible !== 0) node.backtrack |= possible & -possible;
    else node.backtrack |= node.enabled;
  }

  /** The choices that may come first among the steps that a step does not have to follow, and another one. */
  #initials(before: number, at: number): number {
    const first = this.#nodes[before] as Node;
    const isAfter = (later: Node, earlier: Node) =>
      (later.clock[earlier.chosen.by] as number) >= earlier.place;
    const free = this.#nodes.slice(before + 1, at).filter((node) => !isAfter(node, first));
    free.push(this.#nodes[at] as Node);
    let initials = 0;
    let seen = 0;
    free.forEach((node, index) => {
      const bit = 1 << node.chosen.by;
      if ((seen & bit) === 0 && !free.slice(0, index).some((earlier) => isAfter(node, earlier)))
        initials |= bit;
      seen |= bit;
    });
    return initials;
  }
}

/** What each choice would do before each step, from a step on. */
function pendingBefore(
  steps: readonly Taken[],
  after: ReadonlyMap<number, Step>,
  from: number,
): ReadonlyMap<number, Step>[] {
  const befores: ReadonlyMap<number, Step>[] = [];
  let pending = after;
  for (let at = steps.length - 1; at >= from; at--) {
    const step = steps[at] as Taken;
    pending = new Map(pending).set(step.by, { ...step, kind: step.intended });
    befores[at] = pending;
  }
  return befores;
}

/** The thread or death of a choice, in words. */
export function nameOfChoice(by: number): string {
  return by < DEATH ? `thread ${by}` : `thread ${threadOf(by)} dies`;
}
