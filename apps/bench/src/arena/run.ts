import { proveAllReturned } from '@vmarea/compare';
import type { Configuration } from '@vmarea/core';
import { spread } from '../spread.js';
import { Accesses } from './accesses.js';
import { Bed } from './bed.js';
import { MEASURES, type Measure, PAGES_PER_CALL, ZEROING } from './measures.js';
import { PageCalls } from './pages.js';
import { ListPrograms, PROGRAMS } from './programs.js';
import type { ArenaFormat, ArenaRow, Plan, ProgramRow } from './result.js';
import { pagesOf, sparseTables } from './sparse.js';

/** Bytes of the pages of a round, where they are as many as the largest call has. */
const ROUND_BYTES = 2 ** 23;
const LARGEST_CALL = 1024;
/** Frames for what the arenas need beside: scratch pages, a list. */
const SPARE = 512;

/** Steps that `runFormat` tells of. */
export function stepsOf({ repeat }: Plan): number {
  return repeat + 1;
}

/**
 * Measures an arena in one configuration.
 *
 * @param step - is called before the warm-up and before each round.
 * @throws CheckError for a wrong address, page, sum or count, and for frames that did not come back.
 */
export async function runFormat(
  configuration: Configuration,
  plan: Plan,
  step: () => Promise<void>,
): Promise<ArenaFormat> {
  const { seed, quick } = plan;
  const pageBytes = 2 ** configuration.format.pageShift;
  const pages = quick ? LARGEST_CALL : Math.max(LARGEST_CALL, ROUND_BYTES / pageBytes);
  const bed = new Bed(configuration, Math.max(pages, pagesOf({ pageBytes })) + SPARE);
  const before = { tables: bed.tables.stats(), pages: bed.ram.stats() };
  const sparse = sparseTables(bed);

  // One after the other: the tables of each window are made in advance, and take as much as the pages.
  const samples = new Samples();
  const rounds = { plan, step, samples };
  const calls = new PageCalls(bed, pages, seed);
  await measure(rounds, (note) => calls.round(note));
  calls.end();
  const accesses = new Accesses(bed, quick ? 2 ** 10 : 2 ** 17, seed);
  await measure({ ...rounds, step: nothing }, (note) => accesses.round(note));
  accesses.end();
  const list = new ListPrograms(bed, quick ? 1000 : 25_000);
  const instructions = new Map<string, number>();
  await measure({ ...rounds, step: nothing }, (note) =>
    list.round((program, count, ns) => {
      const known = instructions.get(program) ?? count;
      bed.require(program, 'instructions', count, known);
      instructions.set(program, count);
      note(program, ns);
    }),
  );
  list.end();

  const units = (measure: Measure): number => (isAccess(measure) ? accesses.count : pages);
  const { name, title } = configuration;
  return {
    ...{ configuration: name, title, pageBytes },
    rows: MEASURES.map(([measure]) => rowOf(measure, units(measure), samples, quick)),
    sparse,
    programs: PROGRAMS.map(([program]): ProgramRow => {
      const count = instructions.get(program) as number;
      const millions = samples.of(program).map((ns) => (1000 * count) / ns);
      return {
        program,
        elements: list.elements,
        instructions: count,
        millions: quick ? null : spread(millions),
      };
    }),
    leakCheck: {
      tables: proveAllReturned(`${name}: tables`, before.tables, bed.tables.stats()),
      pages: proveAllReturned(`${name}: pages`, before.pages, bed.ram.stats()),
    },
  };
}

function isAccess(measure: Measure): boolean {
  return measure === 'load' || measure === 'store';
}

const nothing = (): Promise<void> => Promise.resolve();

/** The nanoseconds of all measured rounds by measure or program. */
class Samples {
  readonly #lists = new Map<string, number[]>();

  of(name: string): readonly number[] {
    return this.#lists.get(name) ?? [];
  }

  add(name: string, ns: number): void {
    const list = this.#lists.get(name);
    if (list === undefined) this.#lists.set(name, [ns]);
    else list.push(ns);
  }
}

/** Warms up, and measures. */
async function measure(
  { plan, step, samples }: { plan: Plan; step: () => Promise<void>; samples: Samples },
  round: (note: (name: string, ns: number) => void) => void,
): Promise<void> {
  await step();
  const start = performance.now();
  for (let i = 0; i < plan.warmUp || performance.now() - start < plan.warmUpMs; i++) round(() => undefined);
  for (let i = 0; i < plan.repeat; i++) {
    await step();
    round((name, ns) => samples.add(name, ns));
  }
}

function rowOf(measure: Measure, units: number, samples: Samples, quick: boolean): ArenaRow {
  const ns = samples.of(measure).map((one) => one / units);
  const zero = samples.of('zero').map((one) => one / units);
  // Of the same round, so that a slow moment of the machine is in both.
  const beyond = ns.map((one, i) => one - (zero[i] as number));
  return {
    measure,
    unit: isAccess(measure) ? 'access' : 'page',
    pagesPerCall: PAGES_PER_CALL[measure] ?? 1,
    units,
    ns: quick ? null : spread(ns),
    beyondZeroing: quick || !ZEROING.has(measure) ? null : spread(beyond),
  };
}
