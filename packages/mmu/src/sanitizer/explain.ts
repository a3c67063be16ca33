import { joinWords } from '@vmarea/core';
import type { ReportFacts, SanitizerCause, SanitizerCode } from './report.js';
import type { StaleRun } from './stale-run.js';

/** Why a processor may still have a run, and the event that explains it. */
function causeOf(run: StaleRun): { cause: SanitizerCause; flushAt: number } {
  const { requestedAt, owedTo, owedAt, miss, done, waiting } = run;
  const last = done.at(-1);
  if (waiting.size === 0 && last !== undefined) return { cause: 'kept', flushAt: last.event };
  if (requestedAt > 0) return { cause: 'not-done', flushAt: requestedAt };
  if (owedTo !== null) return { cause: owedTo, flushAt: owedAt };
  if (miss !== null) return { cause: miss.cause, flushAt: miss.event };
  if (last !== undefined) return { cause: 'local-flush', flushAt: last.event };
  return { cause: 'no-flush', flushAt: 0 };
}

/** Which entries of a run a report is about, and what is not read from the run. */
interface About {
  readonly code: SanitizerCode;
  readonly at: number;
  /** First entry, and how many. */
  readonly entry?: number;
  readonly entries?: number;
  /** Default: those that may have it cached. */
  readonly processors?: readonly number[];
  /** A fact that makes it an error whatever is owed. */
  readonly isError?: boolean;
  /** What the tables have in the place of the first entry now; default: what they had after the change. */
  readonly after?: bigint;
}

/** A report about entries of a run. It is lazy when the run waits for a purge, and an error otherwise. */
export function factsOf(run: StaleRun, about: About): ReportFacts {
  const { root, reader, table, index, page, before, after, changedAt, kind } = run.parts;
  const { code, at, entry = 0, entries = 1, isError = false } = about;
  const processors = about.processors ?? [...run.waiting].sort((a, b) => a - b);
  const words = (of: Int32Array): bigint => joinWords(of[2 * entry] as number, of[2 * entry + 1] as number);
  return {
    ...{ code, ...causeOf(run), at, changedAt, processors },
    class: run.owedTo === 'purge' && run.requestedAt === 0 && !isError ? 'lazy' : 'error',
    processor: processors[0] ?? 0,
    asid: root.asid,
    va: root.address(page + entry * reader.pages),
    bytes: BigInt(entries) << BigInt(reader.level.shift),
    level: reader.level.name,
    entryAddress: root.entryAddress(table, reader.index, index + entry),
    before: words(before),
    after: about.after ?? words(after),
    frame: kind === 'none' ? null : run.frame(entry),
  };
}
