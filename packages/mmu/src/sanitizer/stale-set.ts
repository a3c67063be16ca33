import { coverage } from './coverage.js';
import type { FlushScope } from './flush-scope.js';
import type { StaleRun } from './stale-run.js';

/** Runs that went last, kept to tell of a processor that still uses one. */
const MOST_REMEMBERED = 256;

/**
 * All that some processor may have cached and that the tables no longer say. It costs memory and time for
 * what has changed since its flush, not for what is mapped.
 */
export class StaleSet {
  #runs: StaleRun[] = [];
  /** Flushed everywhere, the last ones. */
  readonly #past: StaleRun[] = [];

  get runs(): readonly StaleRun[] {
    return this.#runs;
  }

  add(run: StaleRun): void {
    this.#runs.push(run);
  }

  clear(): void {
    this.#runs = [];
    this.#past.length = 0;
  }

  /** Notes that a flush was requested, on the entries that it covers. */
  request(scope: FlushScope, event: number): void {
    this.#cover(scope, event, (run) => {
      run.requestedAt = event;
    });
  }

  /** The flush that was requested at an event failed: its sink threw. */
  withdraw(event: number): void {
    for (const run of this.#runs) if (run.requestedAt === event) run.requestedAt = 0;
  }

  /** Notes that a flush was left for later. */
  defer(scope: FlushScope, until: 'purge' | 'batch', event: number): void {
    const mark = (run: StaleRun): void => {
      if (run.requestedAt > 0) return;
      run.owedTo = until;
      run.owedAt = event;
    };
    this.#cover(scope, event, mark, true);
  }

  /** A processor has done a flush: it forgets the entries that the flush covers. */
  done(scope: FlushScope, processor: number, event: number): void {
    this.#cover(scope, event, (run) => {
      if (!run.waiting.delete(processor)) return;
      run.done = [...run.done, { processor, event }];
    });
    this.#drop(({ waiting }) => waiting.size === 0);
  }

  /** Takes entries out: the tables say again what was cached. */
  restore(run: StaleRun, from: number, to: number): void {
    const at = this.#runs.indexOf(run);
    if (at >= 0) this.#runs.splice(at, 1, ...partsOf(run, [[from, to]]).outside);
  }

  /** The runs that hold a page, those that are still cached somewhere first, the latest first. */
  at(page: number): StaleRun[] {
    const holds = (run: StaleRun): boolean => page >= run.parts.page && page < run.end;
    return [...this.#runs.filter(holds).reverse(), ...this.#past.filter(holds).reverse()];
  }

  /** The runs that overlap pages. */
  within(first: number, end: number): StaleRun[] {
    return this.#runs.filter((run) => run.parts.page < end && run.end > first);
  }

  #cover(scope: FlushScope, event: number, mark: (run: StaleRun) => void, isDeferred = false): void {
    let next: StaleRun[] | null = null;
    for (const [at, run] of this.#runs.entries()) {
      const covered = coverage(run, scope);
      if (typeof covered === 'string') {
        if (covered !== 'apart' && !isDeferred) run.miss = { cause: covered, event, asid: scope.asid };
        next?.push(run);
        continue;
      }
      if (covered.length === 1 && covered[0]?.[0] === 0 && covered[0][1] === run.parts.count) {
        mark(run);
        next?.push(run);
        continue;
      }
      next ??= this.#runs.slice(0, at);
      const { inside, outside } = partsOf(run, covered);
      for (const part of inside) mark(part);
      if (!isDeferred) for (const part of outside) part.miss = { cause: 'range', event, asid: scope.asid };
      next.push(...inside, ...outside);
    }
    if (next !== null) this.#runs = next;
  }

  #drop(isGone: (run: StaleRun) => boolean): void {
    const gone = this.#runs.filter(isGone);
    if (gone.length === 0) return;
    this.#runs = this.#runs.filter((run) => !isGone(run));
    this.#past.push(...gone.slice(-MOST_REMEMBERED));
    this.#past.splice(0, this.#past.length - MOST_REMEMBERED);
  }
}

/** The parts of a run inside and outside of ascending ranges of entries. */
function partsOf(
  run: StaleRun,
  ranges: readonly (readonly [number, number])[],
): { inside: StaleRun[]; outside: StaleRun[] } {
  const inside: StaleRun[] = [];
  const outside: StaleRun[] = [];
  let at = 0;
  for (const [from, to] of ranges) {
    if (from > at) outside.push(run.slice(at, from));
    inside.push(run.slice(from, to));
    at = to;
  }
  if (at < run.parts.count) outside.push(run.slice(at, run.parts.count));
  return { inside, outside };
}
