import { type Access, type Controls, joinWords, words } from '@vmarea/core';
import { factsOf } from './explain.js';
import { catchUp, lookAlong, lookAtFrame, lookAtTables } from './look.js';
import type { SanitizerCode } from './report.js';
import type { StaleRun } from './stale-run.js';
import type { State } from './state.js';
import type { WatchedRoot } from './watched-root.js';

/** What a processor has said of one address. */
export interface Said {
  readonly processor: number;
  readonly asid: number;
  readonly vaHi: number;
  readonly vaLo: number;
  /** Its modes; without them those of the root that is watched. */
  readonly controls?: Controls | undefined;
}

/** A processor has used or filled a translation to a frame. */
export function judgeServed(
  state: State,
  code: 'stale-use' | 'stale-fill',
  said: Said,
  pfn: number,
  access: Access | null,
): void {
  const va = joinWords(said.vaLo, said.vaHi);
  const root = rootFor(state, said.asid, va);
  if (root === null) return;
  catchUp(state);
  const { reader, format } = root;
  // What it has filled was valid at this moment. Its frame may be a table, which stores change.
  if (code === 'stale-fill') lookAlong(root, va);
  if (access === null || access.kind === 'write') lookAtFrame(state, BigInt(pfn) << BigInt(format.pageShift));
  if (reader.translateWords(said.vaHi, said.vaLo) === pfn) {
    if (access === null) return;
    const { fault } = root.readerUnder(said.controls).walk(va, access);
    if (fault === null || fault.kind === 'access-flag') return;
  }
  const page = Number(va >> BigInt(root.format.pageShift));
  judgeStale(state, code, said, root, va, pfn, (run) => {
    const { kind, page: first, reader: level } = run.parts;
    return kind === 'leaf' && run.frame(entryOf(run, page)) + ((page - first) % level.pages) === pfn;
  });
}

/** A processor has put the entry of a walk into a walk cache. */
export function judgeWalkFill(state: State, said: Said, level: number, table: number): void {
  const va = joinWords(said.vaLo, said.vaHi);
  const root = rootFor(state, said.asid, va);
  if (root === null) return;
  catchUp(state);
  lookAlong(root, va);
  const step = root.reader.walk(va).steps[level];
  if (step?.kind === 'table') {
    const entry = words(step.entry);
    if (root.tree.readers[level]?.table(entry.lo, entry.hi) === table) return;
  }
  judgeStale(state, 'stale-walk', said, root, va, table, (run) => {
    const { kind, reader: of } = run.parts;
    return kind === 'table' && of.index === level && run.frame(0) === table;
  });
}

/** A processor has refused an access. */
export function judgeFault(state: State, said: Said, access: Access): void {
  const va = joinWords(said.vaLo, said.vaHi);
  const root = rootFor(state, said.asid, va);
  if (root === null || root.readerUnder(said.controls).walk(va, access).fault !== null) return;
  lookAtTables(state);
  const page = Number(va >> BigInt(root.format.pageShift));
  const run = best(candidates(state, root, page), said.processor);
  // Without an older entry the processor has reasons that the tables do not know.
  if (run !== null) report(state, 'stale-fault', said, run, root, va);
}

/** The root that translates an address in an address space; arm64's upper root serves all of them. */
function rootFor({ roots }: State, asid: number, va: bigint): WatchedRoot | null {
  const holding = roots.filter((root) => root.holds(va));
  const own = holding.find((root) => root.asid === asid);
  if (own !== undefined) return own;
  const shared = holding.filter(({ format }) => format.range.upper === 'ones');
  return shared.length === 1 ? (shared[0] as WatchedRoot) : null;
}

function entryOf({ parts }: StaleRun, page: number): number {
  return Math.floor((page - parts.page) / parts.reader.pages);
}

function candidates({ stale }: State, root: WatchedRoot, page: number): StaleRun[] {
  return stale
    .at(page)
    .filter(({ parts, isGlobal }) => parts.root === root || parts.root.asid === root.asid || isGlobal);
}

/** Among runs the first that the processor may have, else the first that it should have forgotten. */
function best(runs: readonly StaleRun[], processor: number): StaleRun | null {
  return runs.find(({ waiting }) => waiting.has(processor)) ?? runs[0] ?? null;
}

function judgeStale(
  state: State,
  code: SanitizerCode,
  said: Said,
  root: WatchedRoot,
  va: bigint,
  frame: number,
  fits: (run: StaleRun) => boolean,
): void {
  lookAtTables(state);
  const page = Number(va >> BigInt(root.format.pageShift));
  const run = best(candidates(state, root, page).filter(fits), said.processor);
  if (run !== null) report(state, code, said, run, root, va);
  else reportUnknown(state, code, said, root, va, frame);
}

function report(
  state: State,
  code: SanitizerCode,
  { processor }: Said,
  run: StaleRun,
  root: WatchedRoot,
  va: bigint,
): void {
  const isWaiting = run.waiting.has(processor);
  if (isWaiting && run.freedAt === 0 && (run.requestedAt > 0 || run.owedTo === 'batch')) {
    state.inFlightUses++;
    return;
  }
  const entry = entryOf(run, Number(va >> BigInt(root.format.pageShift)));
  const after = root.reader.walk(va).steps.at(-1)?.entry ?? 0n;
  const facts = factsOf(run, { code, at: state.event, entry, processors: [processor], after });
  if (isWaiting) state.reports.add(facts);
  else {
    const flushAt = run.done.find((one) => one.processor === processor)?.event ?? 0;
    state.reports.add({ ...facts, class: 'error', cause: 'kept', flushAt });
  }
}

/** The processor holds what the tables have never said. */
function reportUnknown(
  state: State,
  code: SanitizerCode,
  { processor }: Said,
  root: WatchedRoot,
  va: bigint,
  frame: number,
): void {
  const step = root.reader.walk(va).steps.at(-1);
  state.reports.add({
    ...{ code, class: 'error', cause: 'unknown', processor, processors: [processor], asid: root.asid },
    ...{ va, bytes: 1n << BigInt(root.format.pageShift), level: step?.name ?? '' },
    entryAddress: step?.address ?? root.pa,
    ...{ before: 0n, after: step?.entry ?? 0n, frame, changedAt: 0, flushAt: 0, at: state.event },
  });
}
