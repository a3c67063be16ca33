import { REGISTERS, STEP, STEP_WORDS } from './steps.js';

/** Why an instruction cannot run. */
export interface Problem {
  readonly kind: 'instruction' | 'register' | 'access';
  readonly why: string;
}

/** Collects steps, constants and problems. Jumps get their targets at the end. */
export class StepList {
  readonly #words: number[] = [];
  readonly #places: number[] = [];
  readonly #constants: number[] = [];
  readonly #known = new Map<string, number>();
  readonly #problems: Problem[] = [];
  /** By instruction: its first step. */
  readonly #steps = new Map<number, number>();
  readonly #jumps: { readonly at: number; readonly target: number }[] = [];
  readonly #calls: { readonly at: number; readonly callee: number }[] = [];

  /** The word of the next step. */
  get at(): number {
    return this.#words.length;
  }

  /** An instruction begins here: jumps to it come to the next step. */
  begin(instruction: number): void {
    this.#steps.set(instruction, this.at);
  }

  add(instruction: number, step: number, a: number, b: number, c: number): void {
    this.#words.push(step, a, b, c);
    this.#places.push(instruction);
  }

  jump(instruction: number, step: number, a: number, b: number, target: number): void {
    this.#jumps.push({ at: this.at, target });
    this.add(instruction, step, a, b, 0);
  }

  call(instruction: number, callee: number): void {
    this.#calls.push({ at: this.at, callee });
    this.add(instruction, STEP.call, callee, 0, 0);
  }

  problem(instruction: number, problem: Problem): void {
    this.add(instruction, STEP.problem, this.#problems.length, 0, 0);
    this.#problems.push(problem);
  }

  /** A constant of 64 bits, as the register that holds it. */
  constant(lo: number, hi: number): number {
    const key = `${lo} ${hi}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const register = REGISTERS * 2 + this.#constants.length;
    this.#constants.push(lo, hi);
    this.#known.set(key, register);
    return register;
  }

  finish(
    entries: readonly number[],
    stackBytes: readonly number[],
  ): {
    readonly steps: Int32Array;
    readonly constants: Int32Array;
    readonly places: Int32Array;
    readonly problems: readonly Problem[];
  } {
    const steps = new Int32Array(this.#words);
    for (const { at, target } of this.#jumps) steps[at + STEP_WORDS - 1] = this.#steps.get(target) as number;
    for (const { at, callee } of this.#calls) {
      steps[at + 2] = entries[callee] as number;
      steps[at + 3] = stackBytes[callee] as number;
    }
    return {
      steps,
      constants: new Int32Array(this.#constants),
      places: new Int32Array(this.#places),
      problems: this.#problems,
    };
  }
}
