import type { Configuration, PageTableFormat } from '@vmarea/core';
import { hex } from '@vmarea/core';
import type { Case } from './case-file.js';
import type { Examined } from './examine.js';
import type { Job, Processor } from './guest/guest.js';
import { ACCESSES } from './guest/layout.js';
import { type BatchResult, type Judged, judge, tableMemory, type WrongWord } from './judge.js';
import type { Outcome, Target } from './target.js';

type Plan = Pick<Case, 'settings' | 'root' | 'entries' | 'jobs'>;

/** Repeats the accesses of a case. */
export async function runCase(
  target: Target,
  guest: Processor,
  version: string,
  configuration: Configuration,
  one: Plan,
  plant: (format: PageTableFormat) => PageTableFormat = (format) => format,
): Promise<BatchResult> {
  const sound = target.subject(configuration, one.settings);
  const subject = { ...sound, format: plant(sound.format) };
  const memory = tableMemory(target);
  for (const [at, entry] of one.entries) memory.write64(at, entry);
  for (const [slot, entry] of target.rootEntries(subject.format))
    memory.write64(one.root + 8n * BigInt(slot), entry);
  target.prepare(guest.ram, subject);
  const { settings, root, jobs } = one;
  return judge(
    target,
    guest,
    { subject, sound: sound.format, settings, tables: { memory, root }, jobs },
    version,
  );
}

/**
 * The smallest case of a batch with a difference: one address if that differs alone, else the whole batch.
 *
 * @param rerun - makes the accesses of a plan.
 */
export async function smallestCase(
  examined: Examined,
  rerun: (plan: Plan) => Promise<BatchResult>,
): Promise<Plan & { readonly alone: boolean; readonly differences: readonly string[] }> {
  const { settings, tables, entries, jobs } = examined;
  for (const job of suspects(examined)) {
    const plan = { settings, root: tables.root, entries: entriesOf(examined, job), jobs: [job] };
    const differences = differencesOf(await rerun(plan));
    if (differences.length > 0) return { ...plan, alone: true, differences };
  }
  const plan = { settings, root: tables.root, entries, jobs };
  return { ...plan, alone: false, differences: differencesOf(examined) };
}

/** A few jobs with a difference. */
function suspects({ judged, wrongWords, mmuWords, jobs }: Examined): Job[] {
  const addresses = new Set([
    ...judged.filter(({ agrees, mmuAgrees }) => !(agrees && mmuAgrees)).map(({ va }) => va),
    ...[...wrongWords, ...mmuWords].flatMap(({ va }) => (va === null ? [] : [va])),
  ]);
  return jobs.filter(({ va }) => addresses.has(va)).slice(0, 4);
}

/** The entries that the walks of a job read, with their values before the run. */
function entriesOf({ judged, entries }: Examined, { va }: Job): Map<bigint, bigint> {
  const read = new Map<bigint, bigint>();
  for (const { va: other, expected } of judged) {
    if (other !== va) continue;
    for (const { address } of expected.walk.steps) {
      const entry = entries.get(address);
      if (entry !== undefined) read.set(address, entry);
    }
  }
  return read;
}

/** All differences of model and MMU, and of `Mmu` and MMU, a line for each. */
export function differencesOf(result: BatchResult): string[] {
  return [...modelDifferencesOf(result), ...mmuDifferencesOf(result)];
}

/** The differences of the model, a line for each. */
export function modelDifferencesOf({ judged, wrongWords }: BatchResult): string[] {
  const lines = judged
    .filter(({ agrees }) => !agrees)
    .map((one) => accessLine(one, 'the model', one.expected.outcome));
  return [...lines, ...wrongWords.map((word) => wordLine(word))];
}

/** The differences of the same accesses through `Mmu`, a line for each. */
export function mmuDifferencesOf({ judged, mmuWords }: BatchResult): string[] {
  const lines = judged
    .filter(({ mmuAgrees }) => !mmuAgrees)
    .map((one) => accessLine(one, 'Mmu', one.throughMmu));
  return [...lines, ...mmuWords.map((word) => wordLine(word, 'Mmu'))];
}

function accessLine({ va, access, observed }: Judged, who: string, outcome: Outcome): string {
  return `${hex(va)} ${ACCESSES[access]?.name}: ${who} says ${outcomeText(outcome)}, the MMU ${outcomeText(observed)}`;
}

/** A word that differs, as text. */
export function wordLine({ address, what, expected, observed, va }: WrongWord, who = 'the model'): string {
  const where = va === null ? '' : ` (accessed at ${hex(va)})`;
  return `${what} at ${hex(address)}${where}: ${who} leaves ${hex(expected)}, the MMU ${hex(observed)}`;
}

/** The outcome of an access, as text. */
export function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'odd':
      return outcome.what;
    case 'fault':
      return `${outcome.name} 0x${outcome.code.toString(16)}${outcome.address === null ? '' : ` at ${hex(outcome.address)}`}`;
    case 'done':
      // A load from outside a unit returns a word that is not an address.
      if (outcome.pa !== null && (outcome.pa < 0n || outcome.pa >> 56n !== 0n))
        return 'done, but somewhere else';
      if (outcome.pa !== null) return `done at ${hex(BigInt.asUintN(64, outcome.pa))}`;
      return outcome.unit === null ? 'done' : `done in unit 0x${outcome.unit.toString(16)}`;
  }
}
