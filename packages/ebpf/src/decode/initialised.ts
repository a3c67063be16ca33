import { CALL_OPCODE, EXIT_OPCODE, FRAME_POINTER } from '../isa/codes.js';
import type { Instructions } from '../isa/instructions.js';
import { ARGUMENTS, readsOf, writesOf } from '../isa/registers.js';
import type { Flow } from './flow.js';

/** What is known of the registers that an instruction reads, as masks. */
export interface Uninitialised {
  /** By instruction: those that no path to it has written. */
  readonly never: Int32Array;
  /** By instruction: those that some path to it has written, and another one has not. */
  readonly perhaps: Int32Array;
  /** Whether any instruction has a register of the second kind. */
  readonly isDoubtful: boolean;
}

/** A function as the analysis sees it. */
export interface AnalysedFunction {
  readonly first: number;
  readonly count: number;
  readonly isProgram: boolean;
}

const FRAME = 1 << FRAME_POINTER;
const RESULT = 1;

/**
 * Finds registers that are read before they are written, as Linux's verifier does, but over all paths at once: it keeps what some path has
 * written, and what every path has. Where the two differ, a run looks.
 */
export function uninitialised(
  code: Instructions,
  functions: readonly AnalysedFunction[],
  flow: Flow,
): Uninitialised {
  const analysis = new Analysis(code, functions, flow);
  functions.forEach(({ first, isProgram }) => {
    // A callback has all arguments. What a call leaves out is found there.
    const entry = (isProgram ? 1 << 1 : ARGUMENTS) | FRAME;
    analysis.reach(first, entry, entry);
  });
  analysis.run();
  return analysis.result();
}

class Analysis {
  readonly #code: Instructions;
  readonly #functions: readonly AnalysedFunction[];
  readonly #flow: Flow;
  /** By instruction: what some path has written, and what every path has; the second is -1 before any path is known. */
  readonly #some: Int32Array;
  readonly #every: Int32Array;
  readonly #queue: number[] = [];
  readonly #isQueued: Uint8Array;
  /** By function: whether r0 is written at its exits, on some path and on every one. -1 before an exit is known. */
  readonly #someExit: Int32Array;
  readonly #everyExit: Int32Array;
  readonly #callers: readonly Set<number>[];

  constructor(code: Instructions, functions: readonly AnalysedFunction[], flow: Flow) {
    this.#code = code;
    this.#functions = functions;
    this.#flow = flow;
    this.#some = new Int32Array(code.count);
    this.#every = new Int32Array(code.count).fill(-1);
    this.#isQueued = new Uint8Array(code.count);
    this.#someExit = new Int32Array(functions.length).fill(-1);
    this.#everyExit = new Int32Array(functions.length).fill(-1);
    this.#callers = functions.map(() => new Set());
  }

  /** A path comes to an instruction. */
  reach(i: number, some: number, every: number): void {
    const [oldSome, oldEvery] = [this.#some[i] as number, this.#every[i] as number];
    this.#some[i] = oldSome | some;
    this.#every[i] = oldEvery & every;
    const isNew = this.#some[i] !== oldSome || this.#every[i] !== oldEvery;
    if (isNew && this.#isQueued[i] === 0) {
      this.#isQueued[i] = 1;
      this.#queue.push(i);
    }
  }

  run(): void {
    for (let i = this.#queue.pop(); i !== undefined; i = this.#queue.pop()) {
      this.#isQueued[i] = 0;
      this.#pass(i, this.#some[i] as number, this.#every[i] as number);
    }
  }

  result(): Uninitialised {
    const never = new Int32Array(this.#code.count);
    const perhaps = new Int32Array(this.#code.count);
    let isDoubtful = false;
    for (let i = 0; i < this.#code.count; i++) {
      if (this.#every[i] === -1 || this.#flow.isProblem(i)) continue;
      const reads = this.#readsOf(i);
      const [some, every] = [this.#some[i] as number, this.#every[i] as number];
      never[i] = reads & ~some;
      perhaps[i] = reads & some & ~every;
      if (perhaps[i] !== 0) isDoubtful = true;
    }
    return { never, perhaps, isDoubtful };
  }

  /** Only the result of a program must be there; a subprogram may have none. */
  #readsOf(i: number): number {
    if (this.#code.opcode(i) === EXIT_OPCODE)
      return this.#functions[this.#flow.functionAt(i)]?.isProgram === true ? RESULT : 0;
    return readsOf(this.#code, i);
  }

  #pass(i: number, some: number, every: number): void {
    if (this.#flow.isProblem(i)) return;
    const opcode = this.#code.opcode(i);
    if (opcode === EXIT_OPCODE) {
      this.#exit(this.#flow.functionAt(i), some, every);
      return;
    }
    if (opcode !== CALL_OPCODE) {
      const writes = writesOf(this.#code, i);
      this.#flow.forEachNext(i, (next) => this.reach(next, some | writes, every | writes));
      return;
    }
    const callee = this.#flow.calleeOf(i);
    const kept = ~(ARGUMENTS | RESULT);
    if (callee < 0) {
      this.#return(i, (some & kept) | RESULT, (every & kept) | RESULT);
      return;
    }
    const { first } = this.#functions[callee] as AnalysedFunction;
    this.reach(first, (some & ARGUMENTS) | FRAME, (every & ARGUMENTS) | FRAME);
    this.#callers[callee]?.add(i);
    if (this.#someExit[callee] === -1) return;
    this.#return(
      i,
      (some & kept) | (this.#someExit[callee] as number),
      (every & kept) | (this.#everyExit[callee] as number),
    );
  }

  /** A call comes back. One that is the last instruction leads to nothing: the next function is another one. */
  #return(call: number, some: number, every: number): void {
    this.#flow.forEachNext(call, (next) => this.reach(next, some, every));
  }

  #exit(index: number, some: number, every: number): void {
    const isFirst = this.#someExit[index] === -1;
    const nextSome = (isFirst ? 0 : (this.#someExit[index] as number)) | (some & RESULT);
    const nextEvery = (isFirst ? RESULT : (this.#everyExit[index] as number)) & every & RESULT;
    if (this.#someExit[index] === nextSome && this.#everyExit[index] === nextEvery) return;
    this.#someExit[index] = nextSome;
    this.#everyExit[index] = nextEvery;
    for (const caller of this.#callers[index] ?? []) {
      if (this.#isQueued[caller] !== 0) continue;
      this.#isQueued[caller] = 1;
      this.#queue.push(caller);
    }
  }
}
