import type { Access, Controls, Invalidation } from '@vmarea/core';
import type { ProcessorObserver } from '../processor-observer.js';
import { type FlushScope, scopeOf, scopeOfFlush } from './flush-scope.js';
import { lookAtWholeRuns } from './look.js';
import { judgeIncomplete } from './run-rules.js';
import type { State } from './state.js';
import { judgeFault, judgeServed, judgeWalkFill } from './use-rules.js';

/** What one processor tells a sanitizer. */
export class OneProcessor implements ProcessorObserver {
  readonly #state: State;
  readonly #processor: number;

  constructor(state: State, processor: number) {
    this.#state = state;
    this.#processor = processor;
  }

  fill(asid: number, vaHi: number, vaLo: number, pfn: number, _leafShift: number): void {
    this.#event((state) => {
      judgeServed(state, 'stale-fill', { processor: this.#processor, asid, vaHi, vaLo }, pfn, null);
      for (const root of state.roots) if (root.incomplete.size > 0) judgeIncomplete(state, root);
    });
  }

  walkCacheFill(asid: number, vaHi: number, vaLo: number, level: number, tablePfn: number): void {
    this.#event((state) =>
      judgeWalkFill(state, { processor: this.#processor, asid, vaHi, vaLo }, level, tablePfn),
    );
  }

  use(asid: number, vaHi: number, vaLo: number, pfn: number, access: Access, controls?: Controls): void {
    const said = { processor: this.#processor, asid, vaHi, vaLo, controls };
    this.#event((state) => judgeServed(state, 'stale-use', said, pfn, access));
  }

  fault(asid: number, vaHi: number, vaLo: number, access: Access, controls?: Controls): void {
    const said = { processor: this.#processor, asid, vaHi, vaLo, controls };
    this.#event((state) => judgeFault(state, said, access));
  }

  flushDone(
    va: bigint,
    bytes: bigint,
    leafShift: number,
    tablesFreed: readonly number[],
    asid: number,
  ): void {
    this.#done(scopeOfFlush(va, bytes, leafShift, tablesFreed, asid));
  }

  invalidated(invalidation: Invalidation, asid: number, va: bigint, bytes: bigint): void {
    this.#done(scopeOf(invalidation, asid, va, bytes));
  }

  #done(scope: FlushScope): void {
    this.#event((state) => {
      // What is written before this moment goes with it, also when it was written after the request.
      lookAtWholeRuns(state);
      state.stale.done(scope, this.#processor, state.event);
    });
  }

  /** Judges one event, unless nobody watches. */
  #event(judge: (state: State) => void): void {
    const state = this.#state;
    if (state.isBlind) return;
    state.event++;
    judge(state);
    state.reports.raise();
  }
}
