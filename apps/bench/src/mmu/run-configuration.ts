import type { Configuration } from '@vmarea/core';
import { type Case, writeCase } from './case-file.js';
import { type Examined, examine } from './examine.js';
import { Guest, type Processor } from './guest/guest.js';
import type { Qemu } from './guest/qemu.js';
import type { Plant } from './plants.js';
import type { MmuRow, PlantRow } from './result.js';
import { differencesOf, mmuDifferencesOf, modelDifferencesOf, runCase, smallestCase } from './run-case.js';
import type { Target } from './target.js';

/** What judges a configuration. */
export interface Bench {
  readonly configuration: Configuration;
  readonly target: Target;
  readonly qemu: Qemu;
  readonly seed: number;
  /** The folder for case files. */
  readonly folder: string;
}

/** The most case files of one configuration. */
const MOST_CASES = 5;
/**
 * Batches of one guest. Each address fills a page of the guest's memory, so a long run would fill the host's.
 */
const GUEST_BATCHES = 200;
/** The judge must find a planted fault in this many batches. */
const PLANT_BATCHES = 60;

/**
 * Judges a configuration.
 *
 * @param isEnough - is called after each batch, with the addresses so far.
 */
export async function runConfiguration(
  bench: Bench,
  isEnough: (addresses: number) => boolean,
  step: () => Promise<void>,
): Promise<MmuRow> {
  const { configuration, target, qemu, seed } = bench;
  const { version } = qemu;
  const start = performance.now();
  const tally = {
    addresses: 0,
    accesses: 0,
    unplaced: 0,
    entriesTouched: 0,
    differences: 0,
    mmuDifferences: 0,
  };
  const outcomes: Record<string, Record<string, number>> = {};
  const deviations: Record<string, number> = {};
  const leftOut: Record<string, number> = {};
  const cases: { file: string; line: string }[] = [];
  let batch = 0;
  let guest = new Guest(target, qemu, configuration.format);
  try {
    for (; !isEnough(tally.addresses); batch++) {
      await step();
      if (batch % GUEST_BATCHES === GUEST_BATCHES - 1) {
        guest.stop();
        guest = new Guest(target, qemu, configuration.format);
      }
      const one = await examine({ target, guest, version }, configuration, seed, batch);
      tally.addresses += one.jobs.length;
      tally.accesses += one.judged.length;
      tally.entriesTouched += one.entriesTouched;
      for (const { expected, deviation, isUnplaced } of one.judged) {
        const kind = expected.walk.fault?.kind ?? 'done';
        const levels = outcomes[kind] ?? {};
        outcomes[kind] = levels;
        add(levels, expected.walk.steps.at(-1)?.name ?? 'none', 1);
        if (deviation !== null) add(deviations, deviation, 1);
        if (isUnplaced) tally.unplaced++;
      }
      for (const [name, number] of one.leftOut) add(leftOut, name, number);
      tally.differences += modelDifferencesOf(one).length;
      tally.mmuDifferences += mmuDifferencesOf(one).length;
      if (differencesOf(one).length > 0 && cases.length < MOST_CASES) {
        const [file, line] = await keep(bench, guest, one, null);
        cases.push({ file, line });
      }
    }
  } finally {
    guest.stop();
  }
  return {
    ...{ configuration: configuration.name, target: target.name, qemu: `${target.binary} ${qemu.version}` },
    ...{ batches: batch, ...tally, outcomes, deviations, leftOut, cases },
    seconds: (performance.now() - start) / 1000,
  };
}

/** Plants a fault in the format and searches for it. */
export async function runPlant(bench: Bench, plant: Plant): Promise<PlantRow> {
  const { configuration, target, qemu, seed } = bench;
  const { version } = qemu;
  const guest = new Guest(target, qemu, configuration.format);
  const row = { configuration: configuration.name, plant: plant.name };
  try {
    for (let batch = 0; batch < PLANT_BATCHES; batch++) {
      const one = await examine({ target, guest, version }, configuration, seed, batch, plant.apply);
      if (differencesOf(one).length === 0) continue;
      const [file, line, plan] = await keep(bench, guest, one, plant);
      const isSeenByMmu = mmuDifferencesOf(one).length > 0;
      const sound = differencesOf(await runCase(target, guest, qemu.version, configuration, plan));
      const isConfirmed = plan.from.alone && sound.length === 0;
      return { ...row, batches: batch + 1, file, line, isConfirmed, isSeenByMmu };
    }
  } finally {
    guest.stop();
  }
  return { ...row, batches: null, file: null, line: null, isConfirmed: false, isSeenByMmu: false };
}

/** Writes the case file of a batch. Returns its path, the first difference, and the case. */
async function keep(
  { configuration, target, qemu, seed, folder }: Bench,
  guest: Processor,
  one: Examined,
  plant: Plant | null,
): Promise<[file: string, line: string, plan: Case]> {
  const { alone, ...plan } = await smallestCase(one, (again) =>
    runCase(target, guest, qemu.version, configuration, again, plant?.apply),
  );
  const from = {
    qemu: qemu.version,
    seed,
    batch: one.batch,
    tables: one.tablesAre,
    planted: plant?.name ?? null,
    alone,
  };
  const found = { configuration: configuration.name, ...plan, from };
  return [writeCase(folder, found), plan.differences[0] ?? '', found];
}

function add(counts: Record<string, number>, name: string, number: number): void {
  counts[name] = (counts[name] ?? 0) + number;
}
