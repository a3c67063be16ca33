import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { UsageError } from '../errors.js';
import { printable } from '../input/vmallocinfo.js';
import type { ComparedRow, Comparison, SpeedResult } from './result.js';

/** A change below this is no change, however quiet the machine was. */
const LEAST = 0.03;
/** Standard errors that a change must exceed. */
const ERRORS = 3;

const number = v.pipe(v.number(), v.finite(), v.minValue(0));
const timing = v.nullable(v.object({ median: number, standardError: number }));
const earlierSchema = v.object({
  command: v.literal('speed'),
  schema: v.literal(2),
  machine: v.object({ cpu: v.string(), cores: v.number(), node: v.string(), platform: v.string() }),
  compiler: v.nullable(v.string()),
  quick: v.boolean(),
  rows: v.array(
    v.object({
      configuration: v.string(),
      workload: v.string(),
      units: v.number(),
      kernel: timing,
      twin: timing,
      c: timing,
    }),
  ),
});

/** As much of an earlier result as a comparison needs. */
export type Earlier = v.InferOutput<typeof earlierSchema>;

/**
 * Reads what `--json` has printed before.
 *
 * @throws UsageError when the file cannot be read or is something else.
 */
export function readEarlier(file: string): Earlier {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is no JSON' : (error as Error).message;
    throw new UsageError(`--compare ${printable(file)}: ${printable(why)}`);
  }
  const parsed = v.safeParse(earlierSchema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new UsageError(
    `--compare ${printable(file)}: it is no result of speed --json with schema 2 ` +
      `(${v.getDotPath(issue) ?? 'the whole'}: ${printable(issue.message)})`,
  );
}

/** Compares two results, row by row. */
export function compareResults(file: string, before: Earlier, after: Pick<SpeedResult, 'rows'>): Comparison {
  const rows: ComparedRow[] = [];
  let unmatched = 0;
  for (const row of after.rows) {
    const { configuration, workload, units } = row;
    const old = before.rows.find(
      (one) => one.configuration === configuration && one.workload === workload && one.units === units,
    );
    if (old === undefined) {
      unmatched++;
      continue;
    }
    for (const variant of ['kernel', 'twin'] as const) {
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
        ...compareTimes(from, to, reference),
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
 * The verdict about one time: it has changed when the change exceeds three standard errors and 3 %.
 *
 * @param reference - the times of C in both runs, when there are: what slows the machine as a whole slows C too.
 */
export function compareTimes(
  from: Time,
  to: Time,
  reference: { readonly from: Time; readonly to: Time } | null,
): Pick<ComparedRow, 'before' | 'after' | 'change' | 'noise' | 'verdict'> {
  const before = reference === null ? from.median : from.median / reference.from.median;
  const after = reference === null ? to.median : to.median / reference.to.median;
  const change = after / before - 1;
  const times = reference === null ? [from, to] : [from, to, reference.from, reference.to];
  // Relative errors of factors and divisors add up as squares; the quotient of both results scales them.
  const relative = Math.hypot(...times.map((time) => time.standardError / time.median));
  const noise = Math.max(LEAST, ERRORS * relative * (1 + Math.max(0, change)));
  const verdict = Math.abs(change) <= noise ? 'same' : change < 0 ? 'faster' : 'slower';
  return { before: round(before), after: round(after), change: round(change), noise: round(noise), verdict };
}

/** Sentences about what makes two results hard to compare. */
export function differences(
  before: Earlier,
  after: Pick<SpeedResult, 'machine' | 'compiler' | 'quick'>,
): string[] {
  const machine = ({ cpu, cores, platform }: Earlier['machine']): string => `${cpu}, ${cores}, ${platform}`;
  const pairs = [
    ['another machine', machine(before.machine), machine(after.machine)],
    ['another Node', before.machine.node, after.machine.node],
    ['another C compiler', before.compiler ?? 'none', after.compiler ?? 'none'],
  ] as const;
  const found = pairs
    .filter(([, one, other]) => one !== other)
    .map(
      ([what, one, other]) => `the earlier result is from ${what} (${one}; now ${other}): compare with care`,
    );
  return before.quick || after.quick
    ? [...found, 'one of the results is from a quick run: its times say little']
    : found;
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
