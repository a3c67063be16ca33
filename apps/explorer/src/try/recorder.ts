import type { RunPart, RunResult, SpaceView, Step } from './calls.js';
import { lineOf } from './module-code.js';
import { type Drawn, spaceView } from './space-view.js';
import { argumentText, valueText } from './value-text.js';

/** Calls that are recorded. A program that makes more goes on, unseen. */
const MOST_STEPS = 400;

/** Records the calls of a program, and what the tables look like after each. */
export class Recorder {
  readonly output: string[] = [];
  readonly #steps: Step[] = [];
  readonly #views: SpaceView[] = [];
  /** The number of each view by its text. */
  readonly #known = new Map<string, number>();
  readonly #drawn: Drawn[] = [];
  readonly #names = new Map<string, number>();
  readonly #traced = new WeakSet<object>();
  #depth = 0;
  #unrecorded = 0;
  #flushes: () => number = () => 0;
  readonly #tell: (part: RunPart) => void;

  /** @param tell - is told of each call and each line when it is made. */
  constructor(tell: (part: RunPart) => void = () => {}) {
    this.#tell = tell;
  }

  /** Adds lines of output. */
  print(lines: readonly string[]): void {
    this.output.push(...lines);
    this.#tell({ output: lines });
  }

  /** Draws a space from now on. */
  draw(name: string, one: Omit<Drawn, 'name'>): void {
    const number = (this.#names.get(name) ?? 0) + 1;
    this.#names.set(name, number);
    this.#drawn.push({ ...one, name: number === 1 ? name : `${name} ${number}` });
    const before = this.#flushes;
    const { counters } = ('table' in one.space ? one.space.table : one.space) as {
      counters: { flushes: number };
    };
    this.#flushes = () => before() + counters.flushes;
  }

  /**
   * Makes a call. Calls inside of it are a part of it.
   *
   * @param name - how the step names it: `kernel.vmalloc`.
   */
  call<T>(name: string, args: readonly unknown[], make: () => T): T {
    if (this.#depth > 0) return make();
    const line = lineOf(new Error('here').stack);
    const printed = this.output.length;
    const text = `${name}(${args.map(argumentText).join(', ')})`;
    this.#depth++;
    try {
      const result = make();
      this.#depth--;
      this.#step({ call: text, result: resultText(result), error: null, line, printed });
      return this.traced(result);
    } catch (error) {
      this.#depth = 0;
      this.#step({ call: text, result: null, error: messageOf(error), line, printed });
      throw error;
    }
  }

  /** An object whose calls are recorded, too: an area that a call returned. */
  traced<T>(value: T): T {
    const label = labelOf(value);
    if (label === null || this.#traced.has(value as object) || !Object.isExtensible(value)) return value;
    const object = value as Record<string, unknown>;
    this.#traced.add(object);
    for (const [name, method] of methodsOf(object)) {
      if (isQuiet(name)) continue;
      Object.defineProperty(object, name, {
        value: (...args: unknown[]) => this.call(`${label}.${name}`, args, () => method.apply(object, args)),
        configurable: true,
      });
    }
    return value;
  }

  result(error: RunResult['error']): RunResult {
    return {
      ...{ steps: this.#steps, views: this.#views, output: this.output, error },
      unrecorded: this.#unrecorded,
    };
  }

  #step(step: Omit<Step, 'spaces' | 'flushes'>): void {
    if (this.#steps.length >= MOST_STEPS) {
      this.#unrecorded++;
      return;
    }
    const known = this.#views.length;
    const spaces = this.#drawn.flatMap((one) => {
      const view = spaceView(one);
      return view === null ? [] : [this.#numberOf(view)];
    });
    const made: Step = { ...step, spaces, flushes: this.#flushes() };
    this.#steps.push(made);
    this.#tell({ steps: [made], views: this.#views.slice(known) });
  }

  #numberOf(view: SpaceView): number {
    const key = JSON.stringify(view, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
    let number = this.#known.get(key);
    if (number === undefined) {
      number = this.#views.push(view) - 1;
      this.#known.set(key, number);
    }
    return number;
  }
}

/** Calls that only look. */
function isQuiet(name: string): boolean {
  return (
    name === 'constructor' ||
    /^(?:to[A-Z]|is[A-Z]|find|walk|translate|leaves|stats|vmallocinfo|populated|frameAt|getVmAreaSize|vmallocTo|vread|addSink|reset|regions|maps|ownedFrames|port|kfuncs|requireIdle|memUsage|pages$)/.test(
      name,
    )
  );
}

/** Methods of an object and of its classes, by name. */
function methodsOf(object: object): Map<string, (...args: unknown[]) => unknown> {
  const methods = new Map<string, (...args: unknown[]) => unknown>();
  for (
    let at = Object.getPrototypeOf(object);
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (typeof value === 'function' && !methods.has(name)) methods.set(name, value);
  }
  return methods;
}

/** What objects are called, by a member that only they have. */
const LABELS: readonly (readonly [member: string, label: string])[] = [
  ['vmalloc', 'kernel'],
  ['handleFault', 'process'],
  ['allocPages', 'arena'],
  ['unmapNoflush', 'area'],
  ['shrink', 'lazy'],
  ['switchTables', 'mmu'],
  ['mapRange', 'table'],
];

function labelOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  return LABELS.find(([member]) => member in value)?.[1] ?? null;
}

function resultText(result: unknown): string {
  if (result === undefined) return '';
  if (typeof result === 'bigint') return `0x${result.toString(16)}`;
  return labelOf(result) === null ? valueText(result) : (String(result).split('\n')[0] ?? '');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
