import { random } from '@vmarea/compare';
import type { Configuration, PageTableFormat, Walk } from '@vmarea/core';
import { PageTableReader } from '@vmarea/core';
import { built } from './batch/built.js';
import { randomEntries } from './batch/random-entries.js';
import type { Job, Processor } from './guest/guest.js';
import { ACCESSES, unitOf } from './guest/layout.js';
import { type Batch, type BatchResult, deviationOf, judge, tableMemory } from './judge.js';
import { Model } from './model.js';
import type { Subject, Target } from './target.js';

/** Addresses of one batch. */
export const JOBS = 512;
/** The percentage of batches with only some accesses, so that no access hides what another sets. */
const PARTIAL = 40;

/** A finished batch. */
export interface Examined extends Batch, BatchResult {
  readonly batch: number;
  /** `built`: calls made the tables. `random`: their entries are random. */
  readonly tablesAre: 'built' | 'random';
  /** The entries of the tables before the run, by address, for a case file. */
  readonly entries: ReadonlyMap<bigint, bigint>;
  /** Accesses that were not made, by the name of the deviation. */
  readonly leftOut: ReadonlyMap<string, number>;
}

/** The judging processor: its target, its guest, and the version of QEMU. */
interface Machine {
  readonly target: Target;
  readonly guest: Processor;
  readonly version: string;
}

/**
 * Makes a batch and runs it. The same seed and number give the same batch.
 *
 * @param plant - changes the model's format.
 */
export async function examine(
  { target, guest, version }: Machine,
  configuration: Configuration,
  seed: number,
  batch: number,
  plant: (format: PageTableFormat) => PageTableFormat = (format) => format,
): Promise<Examined> {
  const draw = random(Math.imul(batch + 1, 0x9e3779b1) ^ seed ^ hash(configuration.name));
  const settings = target.settings(configuration, draw, version);
  const sound = target.subject(configuration, settings);
  const tablesAre = draw.next(3) === 0 ? 'built' : 'random';
  const make = tablesAre === 'built' ? built : randomEntries;
  const memory = tableMemory(target);
  const tables = make(target, sound, memory, draw);
  const subject = { ...sound, format: plant(sound.format) };
  target.prepare(guest.ram, subject);
  // A planted fault must not change which accesses are made.
  const table = new PageTableReader({ format: sound.format, memory, root: tables.root });
  const model = new Model(target, sound, memory, table);
  const leftOut = new Map<string, number>();
  const jobs: Job[] = [];
  const some = draw.next(100) < PARTIAL ? draw.next(2 ** ACCESSES.length) : -1;
  const mask = accessMask(target) & some;
  const units = new Set<bigint>();
  for (let tries = 0; jobs.length < JOBS && tries < 4 * JOBS; tries++) {
    const va = unitOf(tables.addresses(draw));
    const walk = model.walk(va);
    // Two addresses of one unit would overwrite each other's stores.
    if (walk.pa !== null && units.has(walk.pa)) continue;
    const wanted = model.usable(va, walk) & target.mask(sound, walk) & mask;
    const useful = withoutUnclear(target, version, sound, walk, wanted, leftOut);
    if (useful === 0) continue;
    jobs.push({ va, mask: useful });
    if (walk.pa !== null) units.add(walk.pa);
  }
  const entries = snapshot(memory);
  const whole = { subject, sound: sound.format, settings, tables, jobs };
  const result = await judge(target, guest, whole, version);
  return { ...whole, ...result, batch, tablesAre, entries, leftOut };
}

function accessMask({ accesses }: Target): number {
  return accesses.reduce((mask, number) => mask | (1 << number), 0);
}

/** A mask of accesses without those whose deviation has an unknown outcome. */
function withoutUnclear(
  target: Target,
  version: string,
  subject: Subject,
  walk: Walk,
  mask: number,
  leftOut: Map<string, number>,
): number {
  let left = mask;
  for (const [number, access] of ACCESSES.entries()) {
    if ((mask & (1 << number)) === 0) continue;
    const deviation = deviationOf(target, version, subject, walk, access);
    if (deviation?.instead !== null) continue;
    left &= ~(1 << number);
    leftOut.set(deviation.name, (leftOut.get(deviation.name) ?? 0) + 1);
  }
  return left;
}

/** A hash of a name, so that configurations get different tables. */
function hash(name: string): number {
  return [...name].reduce((sum, character) => Math.imul(sum, 31) + character.charCodeAt(0), 0);
}

/** Entries that are not 0. */
function snapshot(memory: Batch['tables']['memory']): Map<bigint, bigint> {
  const entries = new Map<bigint, bigint>();
  for (const { base, words } of memory.banks) {
    const all = new BigUint64Array(words.buffer, words.byteOffset, words.length / 2);
    for (let i = 0; i < all.length; i++)
      if (all[i] !== 0n) entries.set(base + 8n * BigInt(i), all[i] as bigint);
  }
  return entries;
}
