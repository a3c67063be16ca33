import type { Console } from '@vmarea/cli';
import { progress, UsageError } from '@vmarea/cli';
import type { Configuration } from '@vmarea/core';
import type { Runner } from './job.js';
import { buildReference } from './reference.js';
import type { SpeedResult } from './result.js';
import { type ColumnName, rowsOf, Samples } from './rows.js';
import { type Entry, entriesOf, type Plan, type Rounds, turns } from './schedule.js';
import type { Workload } from './workloads/workload.js';

/** What to measure. */
export interface Selection {
  readonly configurations: readonly Configuration[];
  readonly workloads: readonly Workload[];
  readonly columns: readonly ColumnName[];
  readonly plan: Plan;
}

/** A column to measure: one kind of loops in a configuration, or C. */
interface Column {
  /** `null` for the C reference, which is the same for all configurations. */
  readonly configuration: Configuration | null;
  readonly name: ColumnName;
}

/**
 * Measures a selection, pass by pass.
 *
 * @throws CheckError when results are wrong or differ.
 * @throws UsageError when no format supports any of the workloads.
 */
export async function measureAll(
  { configurations, workloads, columns, plan }: Selection,
  runner: Runner,
  io: Pick<Console, 'stderr' | 'env'>,
): Promise<Pick<SpeedResult, 'compiler' | 'rows' | 'skipped' | 'warnings'>> {
  const { entries, skipped } = entriesOf(configurations, workloads, plan);
  if (entries.length === 0) {
    const [first] = skipped;
    throw new UsageError(
      `no format supports any of these workloads (${first?.configuration}, ${first?.workload}: ${first?.reason})`,
    );
  }
  const built = columns.includes('c') ? await buildReference(io.env) : null;
  const reference = typeof built === 'string' ? null : built;
  const all = columnsOf(configurations, columns, reference !== null);
  const samples = new Samples();
  const order = turns(all, workloads, plan.passes, (column, workload) => roundsOf(entries, column, workload));
  const bar = progress(io, order.length);
  try {
    for (const { pass, column, workloads: ids, rounds } of order) {
      const { configuration, name } = column;
      await bar.step(
        `pass ${pass + 1} of ${plan.passes}: ${ids.join(', ')}, ${configuration === null ? 'C' : `${configuration.name} ${name}`}`,
      );
      const job = { workloads: ids, pages: plan.pages, seed: plan.seed, ...rounds };
      if (configuration === null) samples.add(null, name, (await reference?.run(job)) ?? []);
      else if (name !== 'c') {
        const measured = await runner.run({ ...job, configuration: configuration.name, variant: name });
        samples.add(configuration.name, name, measured);
      }
    }
  } finally {
    bar.end();
    reference?.close();
  }
  const rows = rowsOf(entries, samples);
  const noLoops = rows.some(({ wasm }) => wasm?.loops === 'array');
  return {
    compiler: reference?.compiler ?? null,
    rows,
    skipped,
    warnings: [
      ...(typeof built === 'string' ? [built] : []),
      ...(noLoops ? ['this host has no WebAssembly loops: the wasm columns show array loops'] : []),
    ],
  };
}

function columnsOf(
  configurations: readonly Configuration[],
  names: readonly ColumnName[],
  hasReference: boolean,
): Column[] {
  return [
    ...configurations.flatMap((configuration) =>
      names.filter((name) => name !== 'c').map((name) => ({ configuration, name })),
    ),
    ...(hasReference ? [{ configuration: null, name: 'c' } as const] : []),
  ];
}

/** The rounds of a workload in a column. C gets those of the configuration with the most units. */
function roundsOf(entries: readonly Entry[], { configuration }: Column, workload: Workload): Rounds | null {
  if (configuration === null && workload.hasNoReference === true) return null;
  const own = entries.filter(
    (entry) =>
      entry.workload === workload && (configuration === null || entry.configuration === configuration),
  );
  const [largest] = own.toSorted((a, b) => b.units - a.units);
  return largest?.rounds ?? null;
}
