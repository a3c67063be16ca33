import type { Console } from '@vmarea/cli';
import { CheckError, choose, plural, progress, UsageError, unknown, wholeNumber } from '@vmarea/cli';
import { type Random, random } from '@vmarea/compare';
import { installedFormats } from '../formats.js';
import { thisMachine } from '../machine.js';
import { bedOf } from './bed.js';
import type { TestCase } from './case.js';
import { TEST_CASES } from './cases/index.js';
import { type Parameters, parametersOf, type WorkloadArguments } from './parameters.js';
import { workloadReport } from './report.js';
import type { WorkerRow, WorkloadResult, WorkloadRow } from './result.js';
import { runCase } from './run-case.js';

/** Runs `vmarea-bench workload` and writes its result. */
export async function runWorkload(args: WorkloadArguments, io: Console): Promise<void> {
  const parameters = parametersOf(args);
  const chosen = chosenCases(args);
  const installed = await installedFormats(io.cwd);
  const configurations = choose(installed, args.format);
  const cases = chosen.map(caseAt);
  const rows: WorkloadRow[] = [];
  const workers: WorkerRow[] = [];
  const bar = progress(io, configurations.length * chosen.length * parameters.testRepeatCount);
  try {
    for (const configuration of configurations) {
      const most = (areBlind: boolean): number =>
        Math.max(
          0,
          ...cases
            .filter(({ isBlind = false }) => isBlind === areBlind)
            .map((one) => one.frames(parameters, configuration)),
        );
      const bed = bedOf(configuration, most(false), most(true));
      let ns = 0;
      for (const index of inOrder(chosen, parameters)) {
        const one = caseAt(index);
        const what = `${configuration.name}, ${one.name}`;
        const done = await runCase(one, index, bed, parameters, () => bar.step(what));
        rows.push(done.row);
        ns += done.ns;
      }
      workers.push({ configuration: configuration.name, worker: 0, ns });
    }
  } finally {
    bar.end();
  }
  const result: WorkloadResult = {
    ...{ command: 'workload', schema: 1, machine: thisMachine() },
    parameters,
    rows,
    workers,
    warnings: installed.warnings,
  };
  io.stdout.write(args.json === true ? `${JSON.stringify(result, null, 2)}\n` : workloadReport(result, io));
  const failed = rows.filter((row) => row.failed > 0);
  if (failed.length > 0) {
    const [first] = failed as [WorkloadRow];
    throw new CheckError(
      `${plural(failed.length, 'case')} failed, first ${first.case} on ${first.configuration}`,
    );
  }
}

/** The module's default mask. */
const FIRST_THREE = 7;

/**
 * The indexes of the cases to run.
 *
 * @throws UsageError for an unknown name, a mask out of range, or both options.
 */
function chosenCases(args: WorkloadArguments): readonly number[] {
  const all = TEST_CASES.map((_one, index) => index);
  const { name, 'run-test-mask': mask } = args;
  if (name !== undefined && mask !== undefined)
    throw new UsageError('--run-test-mask and NAME both choose cases; give one of them');
  if (name === undefined) {
    const most = 2 ** all.length - 1;
    const bits = wholeNumber('run-test-mask', mask, { min: 1, max: most, fallback: FIRST_THREE });
    return all.filter((index) => (bits >>> index) % 2 === 1);
  }
  const known = TEST_CASES.map((one) => one.name);
  const wanted = name.split(',').map((one) => one.trim());
  for (const one of wanted) {
    if (one === '') throw new UsageError(`an empty name of a case; cases: ${known.join(', ')}`);
    if (one !== 'all' && !known.includes(one)) throw unknown('case', one, [...known, 'all'], 'Cases');
  }
  if (wanted.includes('all')) return all;
  return all.filter((index) => wanted.includes(known[index] as string));
}

/** The order of the cases. The module's shuffle moves every case. */
function inOrder(chosen: readonly number[], { sequentialTestOrder, seed }: Parameters): readonly number[] {
  if (sequentialTestOrder) return chosen;
  const order = TEST_CASES.map((_one, index) => index);
  shuffle(order, random(seed));
  return order.filter((index) => chosen.includes(index));
}

function shuffle(list: number[], source: Random): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = source.next(i);
    [list[i], list[j]] = [list[j] as number, list[i] as number];
  }
}

function caseAt(index: number): TestCase {
  return TEST_CASES[index] as TestCase;
}
