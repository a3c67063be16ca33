import { type PageTableFormat, PageTableReader, PhysicalMemory, type Walk } from '@vmarea/core';
import type { Tables } from './batch/tables.js';
import type { Job, Processor } from './guest/guest.js';
import {
  ACCESSES,
  type GuestAccess,
  offsetInUnit,
  RESULT_WORDS,
  UNIT,
  unitNumber,
  unitOf,
} from './guest/layout.js';
import { type Expected, isFrame, Model } from './model.js';
import type { Deviation, Outcome, Settings, Subject, Target } from './target.js';
import { ThroughMmu } from './through-mmu.js';
import { compareVersions } from './version.js';

/** The observed and the expected outcome of an access. */
export interface Judged {
  readonly va: bigint;
  /** The number of the access. */
  readonly access: number;
  readonly expected: Expected;
  readonly observed: Outcome;
  /** The name of its known deviation; `null` for none. */
  readonly deviation: string | null;
  /** True when the outcome is the expected one, or that of the known deviation. */
  readonly agrees: boolean;
  /** The outcome through `Mmu`, and whether it is the observed one in the same sense. */
  readonly throughMmu: Outcome;
  readonly mmuAgrees: boolean;
  /** True when there is no memory, so that nothing shows where it went. */
  readonly isUnplaced: boolean;
}

/** An entry that processor and model changed differently, a store that did not arrive, or one that should not have. */
export interface WrongWord {
  readonly address: bigint;
  readonly what: 'entry' | 'store';
  readonly expected: bigint;
  readonly observed: bigint;
  /** The address of a job that went there. */
  readonly va: bigint | null;
}

/** The result of a batch. */
export interface BatchResult {
  readonly judged: readonly Judged[];
  readonly wrongWords: readonly WrongWord[];
  /** Entries that the processor and `Mmu` changed differently. */
  readonly mmuWords: readonly WrongWord[];
  /** The number of entries in which accessed or dirty bits were set. */
  readonly entriesTouched: number;
}

/** The expected value at a store's address, and the address of its job. */
interface Store {
  readonly value: bigint;
  readonly va: bigint;
}

/** The input of a batch. No two jobs may reach the same unit, since they would overwrite each other's stores. */
export interface Batch {
  readonly subject: Subject;
  /** The subject's format without a planted fault. There are units wherever it leads. */
  readonly sound: PageTableFormat;
  readonly settings: Settings;
  readonly tables: Pick<Tables, 'memory' | 'root'>;
  readonly jobs: readonly Job[];
}

/** Makes an empty memory for tables, at a target's addresses. */
export function tableMemory({ ram }: Target): PhysicalMemory {
  return PhysicalMemory.of(ram.banks);
}

/** Runs a batch in model and guest. The tables change: accessed and dirty bits. */
export async function judge(
  target: Target,
  guest: Processor,
  batch: Batch,
  version: string,
): Promise<BatchResult> {
  const { subject, sound, tables, jobs } = batch;
  const { memory, root } = tables;
  const table = new PageTableReader({ format: subject.format, memory, root });
  writeTables(guest, memory);
  const before = new Map<bigint, bigint>();
  const firstStore = guest.firstStore;
  // Write the units first, since the model changes the tables.
  const model = new Model(target, subject, memory, table);
  const mmu = new ThroughMmu(target, subject, memory, root);
  const stores = new Map<bigint, Store>();
  // QEMU caches the code that it has translated, so units must be there before, whatever a planted fault says.
  const real = new PageTableReader({ format: sound, memory, root });
  for (const { va } of jobs) {
    const pa = real.translate(va);
    if (pa === null || !isFrame(target.ram, pa)) continue;
    putUnit(target, guest, pa);
    // A store that faults must not arrive: expect 0.
    for (const at of [UNIT.kernelStored, UNIT.userStored])
      stores.set(unitOf(pa) + BigInt(at), { value: 0n, va });
  }
  const expected: (Expected | null)[] = [];
  const throughMmu: Outcome[] = [];
  const met = new Map<bigint, bigint>();
  for (const [i, { va, mask }] of jobs.entries()) {
    for (const [number, access] of ACCESSES.entries()) {
      if ((mask & (1 << number)) === 0) {
        expected.push(null);
        continue;
      }
      const one = model.expect(va, access);
      expected.push(one);
      const at = BigInt.asUintN(64, va + offsetInUnit(access));
      throughMmu[i * ACCESSES.length + number] = mmu.outcome(at, access, (pa) => model.made(at, pa, access));
      for (const { address, entry } of one.walk.steps) {
        if (!before.has(address)) before.set(address, entry);
        met.set(address, va);
      }
      if (
        access.kind === 'write' &&
        one.outcome.kind === 'done' &&
        one.outcome.pa !== null &&
        !access.isProbe
      ) {
        const value = firstStore + BigInt(i * ACCESSES.length + number);
        stores.set(one.outcome.pa + offsetInUnit(access), { value, va });
      }
    }
  }
  const words = await guest.run(target.registers(subject, root), jobs);
  const judged: Judged[] = [];
  for (const [i, one] of expected.entries()) {
    if (one === null) continue;
    const access = ACCESSES[i % ACCESSES.length] as (typeof ACCESSES)[number];
    const { va } = jobs[Math.floor(i / ACCESSES.length)] as Job;
    const observed = target.outcome(words.subarray(i * RESULT_WORDS, (i + 1) * RESULT_WORDS), access, va);
    const deviation = deviationOf(target, version, subject, one.walk, access);
    const last = one.walk.steps.at(-1)?.address;
    if (deviation?.marks !== undefined && last !== undefined) model.allow(last, deviation.marks);
    const instead = deviation?.instead?.(one.outcome, one.made) ?? one.outcome;
    const agrees = agree(instead, observed);
    const through = throughMmu[i] as Outcome;
    const mmuAgrees = agree(deviation?.instead?.(through, one.made) ?? through, observed);
    judged.push({
      ...{ va, access: i % ACCESSES.length, expected: one, observed },
      deviation: deviation?.name ?? null,
      agrees,
      throughMmu: through,
      mmuAgrees,
      isUnplaced: agrees && instead.kind === 'done' && instead.pa === null,
    });
  }
  const wrongWords = [
    ...wrongEntries(guest, memory, model.allowed, met),
    ...wrongStores(guest, stores, judged),
  ];
  const mmuWords = wrongEntries(guest, mmu.memory, model.allowed, met);
  let entriesTouched = 0;
  for (const [address, entry] of before) if (memory.read64(address) !== entry) entriesTouched++;
  return { judged, wrongWords, mmuWords, entriesTouched };
}

/** The deviation of an access, if any. */
export function deviationOf(
  { deviations }: Target,
  version: string,
  subject: Subject,
  walk: Walk,
  access: GuestAccess,
): Deviation | null {
  const found = deviations.find(
    ({ from, to, concerns }) =>
      compareVersions(version, from) >= 0 &&
      (to === null || compareVersions(version, to) < 0) &&
      concerns(subject, walk, access),
  );
  return found ?? null;
}

function agree(expected: Outcome, observed: Outcome): boolean {
  if (expected.kind === 'done' && observed.kind === 'done') {
    const { pa } = expected;
    if (pa === null) return true;
    return (
      (observed.pa === null || observed.pa === pa) &&
      (observed.unit === null || observed.unit === unitNumber(pa))
    );
  }
  if (expected.kind === 'fault' && observed.kind === 'fault') {
    return (
      expected.name === observed.name &&
      expected.code === observed.code &&
      (observed.address === null || observed.address === expected.address)
    );
  }
  return false;
}

function writeTables(guest: Processor, memory: PhysicalMemory): void {
  for (const { base, words } of memory.banks) {
    guest.ram.write(base, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  }
}

/** Writes the unit of a physical address, see UNIT. */
function putUnit({ code }: Target, guest: Processor, pa: bigint): void {
  const start = unitOf(pa);
  const unit = new Uint8Array(UNIT.bytes);
  unit.set(code(unitNumber(start)));
  new DataView(unit.buffer).setBigUint64(UNIT.loaded, start + BigInt(UNIT.loaded), true);
  guest.ram.write(start, unit);
}

function wrongEntries(
  guest: Processor,
  memory: PhysicalMemory,
  allowed: ReadonlyMap<bigint, bigint>,
  met: ReadonlyMap<bigint, bigint>,
): WrongWord[] {
  const wrong: WrongWord[] = [];
  for (const { base, words } of memory.banks) {
    const expected = new BigUint64Array(words.buffer, words.byteOffset, words.length / 2);
    const observed = new BigUint64Array(expected.length);
    guest.ram.read(base, new Uint8Array(observed.buffer));
    for (let i = 0; i < expected.length; i++) {
      if (expected[i] === observed[i]) continue;
      const address = base + 8n * BigInt(i);
      const difference = (expected[i] as bigint) ^ (observed[i] as bigint);
      if ((difference & ~(allowed.get(address) ?? 0n)) === 0n) continue;
      wrong.push({
        ...{ address, what: 'entry', expected: expected[i] as bigint, observed: observed[i] as bigint },
        va: met.get(address) ?? null,
      });
    }
  }
  return wrong;
}

/** Compares stores where all accesses of a job agree. Where they do not, they are the difference. */
function wrongStores(
  guest: Processor,
  stores: ReadonlyMap<bigint, Store>,
  judged: readonly Judged[],
): WrongWord[] {
  const odd = new Set(judged.filter(({ agrees }) => !agrees).map(({ va }) => va));
  return [...stores].flatMap(([address, { value, va }]): WrongWord[] => {
    const observed = guest.ram.read64(address);
    return observed === value || odd.has(va)
      ? []
      : [{ address, what: 'store', expected: value, observed, va }];
  });
}
