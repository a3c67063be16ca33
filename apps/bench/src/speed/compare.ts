import { readFileSync } from 'node:fs';
import { UsageError } from '@vmarea/cli';
import { printable } from '@vmarea/core';
import * as v from 'valibot';
import { whyUnreadable } from '../input/unreadable.js';
import type { ComparedRow, Comparison, SpeedResult, Verdict } from './result.js';
import { WORKLOADS } from './workloads/registry.js';

/** A smaller change counts as none, on any machine. */
const LEAST = 0.03;
/** A change must exceed this many standard errors. */
const ERRORS = 3;
/** A verdict needs this many passes: most noise is between processes. With three, one verdict in 20 is wrong. */
export const LEAST_PASSES = 4;

const number = v.pipe(v.number(), v.finite(), v.minValue(0));
const timing = v.nullable(v.object({ median: number, standardError: number }));
const earlierSchema = v.object({
  command: v.literal('speed'),
  schema: v.literal(4),
  machine: v.object({ cpu: v.string(), cores: v.number(), node: v.string(), platform: v.string() }),
  compiler: v.nullable(v.string()),
  seed: number,
  repeat: number,
  warmUp: number,
  warmUpMs: number,
  passes: number,
  quick: v.boolean(),
  rows: v.array(
    v.object({
      configuration: v.string(),
      workload: v.string(),
      units: v.number(),
      passes: number,
      wasm: timing,
      array: timing,
      c: timing,
    }),
  ),
});

/** The parts of an earlier result that a comparison needs. */
export type Earlier = v.InferOutput<typeof earlierSchema>;

/**
 * Reads an earlier result of `--json`.
 *
 * @throws UsageError when the file cannot be read or is not such a result.
 */
export function readEarlier(file: string): Earlier {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is not JSON' : whyUnreadable(error, file);
    throw new UsageError(`--compare ${printable(file)}: ${printable(why)}`);
  }
  const parsed = v.safeParse(earlierSchema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new UsageError(
    `--compare ${printable(file)}: it is not a result of speed --json with schema 4 ` +
      `(${v.getDotPath(issue) ?? 'the whole file'}: ${printable(issue.message)})`,
  );
}

/** Compares two results, row by row. */
export function compareResults(file: string, before: Earlier, after: Pick<SpeedResult, 'rows'>): Comparison {
  const rows: ComparedRow[] = [];
  let unmatched = 0;
  for (const row of after.rows) {
    const { configuration, workload, units, passes } = row;
    const old = before.rows.find(
      (one) => one.configuration === configuration && one.workload === workload && one.units === units,
    );
    if (old === undefined) {
      unmatched++;
      continue;
    }
    for (const variant of ['wasm', 'array'] as const) {
      const from = old[variant];
      const to = row[variant];
      if (from === null || to === null || from.median === 0 || to.median === 0) continue;
      const reference =
        old.c !== null && row.c !== null && old.c.median > 0 && row.c.median > 0
          ? { from: old.c, to: row.c }
          : null;
      rows.push({
        configuration,
        workload,
        variant,
        measure: reference === null ? 'ns' : 'ratio',
        ...compareTimes(from, to, reference, Math.min(old.passes, passes)),
      });
    }
  }
  return { file, rows, unmatched };
}

interface Time {
  readonly median: number;
  readonly standardError: number;
}

/**
 * The verdict about one time. It is faster or slower when the change exceeds three standard errors and 3 %.
 *
 * @param reference - the times of C in both runs, if any: a slower machine slows C, too.
 * @param passes - the smaller number of passes. Below `LEAST_PASSES` the verdict is `unsure`.
 */
export function compareTimes(
  from: Time,
  to: Time,
  reference: { readonly from: Time; readonly to: Time } | null,
  passes: number,
): Pick<ComparedRow, 'before' | 'after' | 'change' | 'noise' | 'verdict'> {
  const before = reference === null ? from.median : from.median / reference.from.median;
  const after = reference === null ? to.median : to.median / reference.to.median;
  const change = after / before - 1;
  const times = reference === null ? [from, to] : [from, to, reference.from, reference.to];
  // The squares of relative errors add up. The quotient of both results scales the sum.
  const relative = Math.hypot(...times.map((time) => time.standardError / time.median));
  const noise = Math.max(LEAST, ERRORS * relative * (1 + Math.max(0, change)));
  const verdict = passes < LEAST_PASSES ? 'unsure' : verdictOf(change, noise);
  return { before: round(before), after: round(after), change: round(change), noise: round(noise), verdict };
}

function verdictOf(change: number, noise: number): Verdict {
  if (Math.abs(change) <= noise) return 'same';
  return change < 0 ? 'faster' : 'slower';
}

/** The conditions of a run. */
type Circumstances = Pick<
  SpeedResult,
  'machine' | 'compiler' | 'quick' | 'seed' | 'repeat' | 'passes' | 'warmUp' | 'warmUpMs'
> & { readonly rows: readonly { readonly workload: string }[] };

/** A sentence for each condition that differs between two results. */
export function differences(before: Earlier, after: Circumstances): string[] {
  const machine = ({ cpu, cores, platform }: Earlier['machine']): string => `${cpu}, ${cores}, ${platform}`;
  const rounds = ({ passes, repeat, warmUp, warmUpMs }: Omit<Circumstances, 'rows'>): string =>
    `${passes} passes of ${repeat} rounds after ${warmUp} and ${warmUpMs} ms`;
  const pairs = [
    ['is from another machine', machine(before.machine), machine(after.machine)],
    ['is from another Node', before.machine.node, after.machine.node],
    ['is from another C compiler', before.compiler ?? 'none', after.compiler ?? 'none'],
    ['has another seed', `${before.seed}`, `${after.seed}`],
    ['has other rounds', rounds(before), rounds(after)],
    ['measured other workloads in one process', ...otherCompany(before.rows, after.rows)],
  ] as const;
  const found = pairs
    .filter(([, one, other]) => one !== other)
    .map(([what, one, other]) => `the earlier result ${what} (${one}; now ${other}): compare with care`);
  return before.quick || after.quick
    ? [...found, 'one of the results is from a quick run: its times mean little']
    : found;
}

/** The families that both results measured with different workloads. Workloads of a family share a process. */
function otherCompany(before: Circumstances['rows'], after: Circumstances['rows']): [string, string] {
  const families = [...new Set(WORKLOADS.map(({ family }) => family))];
  const idsOf = (rows: Circumstances['rows'], family: string): string =>
    WORKLOADS.filter((one) => one.family === family && rows.some(({ workload }) => workload === one.id))
      .map(({ id }) => id)
      .join(', ');
  const found = families
    .map((family): [string, string] => [idsOf(before, family), idsOf(after, family)])
    .filter(([one, other]) => one !== '' && other !== '' && one !== other);
  return [found.map(([one]) => one).join(', '), found.map(([, other]) => other).join(', ')];
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
