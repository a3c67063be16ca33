import type { Progress } from '@vmarea/cli';
import { UsageError } from '@vmarea/cli';
import { type AccessCase, type AccessRow, AccessSimulation, AccessSurvey } from '@vmarea/compare';
import { readTrace, type TraceRead } from './trace/read-trace.js';
import type { TraceFormat } from './trace/recognize.js';
import { type TraceSource, TruncatedGzip } from './trace/source.js';

/** What the first reading of a trace finds. */
export interface Survey {
  readonly read: TraceRead;
  readonly found: AccessSurvey;
}

/** Tells how far a reading of the trace is. */
class Steps {
  readonly #source: TraceSource;
  readonly #bar: Progress;
  readonly #weight: number;
  #told = 0;

  /** @param weight - the length of the run that a byte of the file stands for. */
  constructor(source: TraceSource, bar: Progress, weight: number) {
    this.#source = source;
    this.#bar = bar;
    this.#weight = weight;
  }

  async step(what: string): Promise<void> {
    const { read } = this.#source;
    await this.#bar.step(what, (read - this.#told) * this.#weight);
    this.#told = read;
  }
}

/**
 * Reads a trace for the first time: which pages does it touch? Gzip data that ends too early is read once more, up to its end.
 *
 * @throws UsageError as `readTrace`.
 */
export async function survey(
  source: TraceSource,
  format: TraceFormat | null,
  bar: Progress,
): Promise<Survey> {
  const steps = new Steps(source, bar, 1);
  const attempt = async (): Promise<Survey> => {
    const found = new AccessSurvey();
    const read = await readTrace(source, format, async (batch) => {
      found.add(batch);
      await steps.step('reading the trace');
    });
    return { read, found };
  };
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof TruncatedGzip)) throw error;
    return await attempt();
  }
}

/**
 * Reads a trace once more, and simulates all cases side by side.
 *
 * @throws UsageError when the file has changed since the first reading.
 */
export async function simulate(
  source: TraceSource,
  { read, found }: Survey,
  cases: readonly AccessCase[],
  bar: Progress,
): Promise<AccessRow[]> {
  const simulation = new AccessSimulation(cases, found.accesses);
  const steps = new Steps(source, bar, cases.length);
  const again = await readTrace(source, read.format, async (batch) => {
    simulation.feed(batch);
    await steps.step('simulating');
  });
  if (again.records !== read.records || simulation.done !== found.accesses)
    throw new UsageError(`${source.file} has changed while it was read; wait until its writer ends`);
  return simulation.rows(found.touched);
}
