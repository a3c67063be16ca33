import { resolve } from 'node:path';
import type { Console } from '@vmarea/cli';
import {
  CheckError,
  choose,
  oneOf,
  plural,
  progress,
  SEED,
  UsageError,
  unknown,
  type ValuesOf,
  wholeNumber,
} from '@vmarea/cli';
import { type Configuration, VmError } from '@vmarea/core';
import type { ArgsDef } from 'citty';
import { installedFormats } from '../formats.js';
import { type Case, readCase } from './case-file.js';
import { JOBS as BATCH_JOBS } from './examine.js';
import { Guest } from './guest/guest.js';
import { findQemu } from './guest/qemu.js';
import { caseReport, mmuReport } from './report.js';
import type { MmuResult, MmuRow, PlantRow } from './result.js';
import { mmuDifferencesOf, modelDifferencesOf, runCase } from './run-case.js';
import { type Bench, runConfiguration, runPlant } from './run-configuration.js';
import { TARGETS } from './targets/index.js';

/** The options of `vmarea-bench mmu`. */
export const mmuArguments = {
  format: { type: 'string', valueHint: 'NAME[,NAME]', description: 'Only these formats (default: all)' },
  addresses: {
    type: 'string',
    valueHint: 'N',
    description: 'Addresses for each format, 1 to 100000000 (default: 15000)',
  },
  seconds: {
    type: 'string',
    valueHint: 'N',
    description: 'Time for all formats together, instead of a number of addresses',
  },
  seed: { type: 'string', valueHint: 'N', description: 'Seed of tables and addresses (default: 1)' },
  planted: {
    type: 'boolean',
    description: 'Plant faults in the formats: the judge must find each one, and its case file must show it',
  },
  case: { type: 'string', valueHint: 'FILE', description: 'Repeat the accesses of a case file' },
  cases: {
    type: 'string',
    valueHint: 'FOLDER',
    description: 'The folder for new case files (default: mmu-cases)',
  },
  json: { type: 'boolean', description: 'Print one JSON object instead of tables' },
} as const satisfies ArgsDef;

/** The values of the options, unchecked. */
export type MmuArguments = ValuesOf<typeof mmuArguments>;

/** The value of `VMAREA_MMU` that makes a missing QEMU an error. Otherwise its formats are skipped. */
const REQUIRED = 'required';

/** Runs `vmarea-bench mmu` and writes its result. */
export async function runMmu(args: MmuArguments, io: Console): Promise<void> {
  const seed = wholeNumber('seed', args.seed, SEED);
  const addresses = wholeNumber('addresses', args.addresses, { min: 1, max: 1e8, fallback: 15_000 });
  const seconds =
    args.seconds === undefined
      ? null
      : wholeNumber('seconds', args.seconds, { min: 1, max: 1e7, fallback: 0 });
  if (seconds !== null && args.addresses !== undefined) {
    throw new UsageError('--seconds and --addresses both set the length; give one of them');
  }
  refuseIgnored(args);
  const folder = resolve(io.cwd, args.cases ?? 'mmu-cases');
  const installed = await installedFormats(io.cwd);
  if (args.case !== undefined)
    return again(readCase(resolve(io.cwd, args.case)), choose(installed, undefined), folder, io);

  const { benches, skipped } = benchesOf(choose(installed, args.format), seed, folder, io);
  const work = { benches, addresses, seconds };
  const rows = args.planted === true ? [] : await judgeAll(work, io);
  const plants = args.planted === true ? await plantAll(benches, io) : [];
  const result: MmuResult = {
    ...{ command: 'mmu', schema: 1, seed, rows, plants, skipped },
    warnings: installed.warnings,
  };
  const deviations = TARGETS.flatMap((target) => target.deviations);
  io.stdout.write(
    args.json === true ? `${JSON.stringify(result, null, 2)}\n` : mmuReport(result, deviations, io),
  );
  const total = (of: (row: MmuRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0);
  refuseDifferences(
    total((row) => row.differences),
    total((row) => row.mmuDifferences),
  );
  const missed = plants.filter(({ isConfirmed, isSeenByMmu }) => !(isConfirmed && isSeenByMmu));
  if (missed.length > 0) throw new CheckError(`no case file shows ${plural(missed.length, 'planted fault')}`);
}

/** @throws CheckError when there are differences: of the model, or of the same accesses through `Mmu`. */
function refuseDifferences(ofModel: number, ofMmu: number): void {
  if (ofModel + ofMmu === 0) return;
  const byMmu = ofMmu === 0 ? '' : `; Mmu and MMU in ${plural(ofMmu, 'place')}`;
  throw new CheckError(`model and MMU differ in ${plural(ofModel, 'place')}${byMmu}`);
}

/** Refuses options that have no effect with another one. */
function refuseIgnored(args: MmuArguments): void {
  const refuse = (by: string, names: readonly (keyof MmuArguments)[]): void => {
    const name = names.find((one) => args[one] !== undefined && args[one] !== false);
    if (name !== undefined)
      throw new UsageError(`--${name} has no effect with --${by}; leave out one of them`);
  };
  if (args.case !== undefined) refuse('case', ['format', 'addresses', 'seconds', 'seed', 'planted', 'json']);
  if (args.planted === true) refuse('planted', ['addresses', 'seconds']);
}

interface Work {
  readonly benches: readonly Bench[];
  readonly addresses: number;
  /** The time for all benches together; `null` when the number of addresses decides. */
  readonly seconds: number | null;
}

async function judgeAll({ benches, addresses, seconds }: Work, io: Console): Promise<MmuRow[]> {
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  const bar = progress(io, seconds ?? benches.length * Math.ceil(addresses / BATCH_JOBS));
  const rows: MmuRow[] = [];
  let shown = 0;
  try {
    for (const [i, bench] of benches.entries()) {
      const until = seconds === null ? null : (seconds * (i + 1)) / benches.length;
      const isEnough = (done: number): boolean => (until === null ? done >= addresses : elapsed() >= until);
      const step = async (): Promise<void> => {
        // A step of the bar is a batch, or a second.
        if (seconds !== null && elapsed() < shown) return;
        shown++;
        await bar.step(bench.configuration.name);
      };
      rows.push(await runConfiguration(bench, isEnough, step));
    }
  } finally {
    bar.end();
  }
  return rows;
}

/** Plants every fault of each target in the configurations that the target names, else in its first chosen one. */
async function plantAll(benches: readonly Bench[], io: Console): Promise<PlantRow[]> {
  const planted = TARGETS.flatMap((target) => {
    const own = benches.filter((one) => one.target === target);
    const named = own.filter(({ configuration }) => target.planted.includes(configuration.name));
    return (named.length > 0 ? named : own.slice(0, 1)).flatMap((bench) =>
      target.plants
        .filter(({ isFor }) => isFor?.(bench.configuration.format) ?? true)
        .map((plant) => ({ bench, plant })),
    );
  });
  const bar = progress(io, planted.length);
  const rows: PlantRow[] = [];
  try {
    for (const { bench, plant } of planted) {
      await bar.step(`${bench.configuration.name}: ${plant.name}`);
      rows.push(await runPlant(bench, plant));
    }
  } finally {
    bar.end();
  }
  return rows;
}

/**
 * Finds what can be judged here.
 *
 * @throws CheckError when `VMAREA_MMU` is `required` and something cannot be judged.
 */
function benchesOf(
  configurations: readonly Configuration[],
  seed: number,
  folder: string,
  { env }: Pick<Console, 'env'>,
): { readonly benches: Bench[]; readonly skipped: MmuResult['skipped'] } {
  const isRequired = requiresQemu(env);
  const benches: Bench[] = [];
  const skipped: { configuration: string; why: string }[] = [];
  for (const configuration of configurations) {
    const found = benchOf(configuration, env);
    if (typeof found === 'string') skipped.push({ configuration: configuration.name, why: found });
    else benches.push({ ...found, configuration, seed, folder });
  }
  const [first] = skipped;
  if (first !== undefined && isRequired) {
    throw new CheckError(
      `VMAREA_MMU is ${REQUIRED}, but ${first.configuration} cannot be judged: ${first.why}`,
    );
  }
  return { benches, skipped };
}

/** True when a missing QEMU is an error. */
function requiresQemu({ VMAREA_MMU: value }: Console['env']): boolean {
  if (value === undefined || value === '') return false;
  return oneOf('VMAREA_MMU', value, [REQUIRED], REQUIRED) === REQUIRED;
}

/** The target and QEMU of a configuration, or the reason why there is none. */
function benchOf(configuration: Configuration, env: Console['env']): Pick<Bench, 'target' | 'qemu'> | string {
  const target = TARGETS.find((one) => one.judges(configuration));
  if (target === undefined)
    return `no target judges it; the targets are ${TARGETS.map(({ name }) => name).join(', ')}`;
  const qemu = findQemu(target.binary, env);
  if (qemu === null)
    return `${target.binary} is missing; on Debian and Ubuntu: apt-get install ${target.debianPackage}`;
  return { target, qemu };
}

/** Repeats the accesses of a case file, and prints the outcome of each. */
async function again(
  one: Case,
  configurations: readonly Configuration[],
  folder: string,
  io: Console,
): Promise<void> {
  const configuration = configurations.find(({ name }) => name === one.configuration);
  if (configuration === undefined) {
    const names = configurations.map(({ name }) => name);
    throw unknown('configuration', one.configuration, names, 'Installed');
  }
  const bench = benchesOf([configuration], one.from.seed, folder, io).benches[0];
  if (bench === undefined) throw new CheckError(String(benchOf(configuration, io.env)));
  const { target, qemu } = bench;
  const planted =
    one.from.planted === null ? null : target.plants.find(({ name }) => name === one.from.planted);
  if (planted === undefined) {
    const names = target.plants.map(({ name }) => name);
    throw unknown('planted fault', one.from.planted ?? '', names);
  }
  const guest = new Guest(target, qemu, configuration.format);
  try {
    const result = await runGiven(target, guest, qemu.version, configuration, one, planted?.apply);
    io.stdout.write(caseReport(one, result, target.subject(configuration, one.settings).format, io));
    refuseDifferences(modelDifferencesOf(result).length, mmuDifferencesOf(result).length);
  } finally {
    guest.stop();
  }
}

/** Runs a case of the user. Memory that the machine does not have is a mistake in the file. */
async function runGiven(...given: Parameters<typeof runCase>): ReturnType<typeof runCase> {
  try {
    return await runCase(...given);
  } catch (error) {
    if (error instanceof VmError) throw new UsageError(`cannot repeat the case: ${error.message}`);
    throw error;
  }
}
