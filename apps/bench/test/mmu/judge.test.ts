import { type Configuration, PageTableReader, type PhysicalMemory } from '@vmarea/core';
import { describe, expect, it, vi } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { type Examined, examine } from '../../src/mmu/examine.js';
import type { Job, Processor } from '../../src/mmu/guest/guest.js';
import { ACCESSES, offsetInUnit, RESULT_WORDS } from '../../src/mmu/guest/layout.js';
import type { Ram } from '../../src/mmu/guest/ram.js';
import { tableMemory } from '../../src/mmu/judge.js';
import { Model } from '../../src/mmu/model.js';
import type { Plant } from '../../src/mmu/plants.js';
import { differencesOf, runCase, smallestCase } from '../../src/mmu/run-case.js';
import type { Outcome, Subject, Target } from '../../src/mmu/target.js';
import { riscv64Target } from '../../src/mmu/targets/riscv64.js';

// A batch takes a second, or many on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const { configurations } = await installedFormats('/');
const configuration = configurations.find(({ name }) => name === 'riscv64-sv48-napot') as Configuration;

/** The results of this file's processor: done or fault, number, address or unit. */
const target: Target = {
  ...riscv64Target,
  deviations: [],
  registers: ({ controls }, root) => [root, ...Object.values(controls).map((on) => (on === true ? 1n : 0n))],
  outcome: ([kind, number, address, unit]): Outcome =>
    kind === 0n
      ? { kind: 'done', pa: address ?? 0n, unit: unit === 0n ? null : Number(unit) }
      : { kind: 'fault', name: 'scause', code: Number(number), address: address ?? 0n },
};

/** Memory at physical addresses. It reads as 0 until it is written. */
class PagedRam implements Ram {
  readonly #pages = new Map<bigint, Uint8Array>();

  write(pa: bigint, bytes: Uint8Array): void {
    for (const { page, at, from, to } of pieces(pa, bytes.length)) {
      const known = this.#pages.get(page) ?? new Uint8Array(PAGE);
      this.#pages.set(page, known);
      known.set(bytes.subarray(from, to), at);
    }
  }

  read(pa: bigint, bytes: Uint8Array): void {
    for (const { page, at, from, to } of pieces(pa, bytes.length)) {
      const known = this.#pages.get(page);
      if (known === undefined) bytes.fill(0, from, to);
      else bytes.set(known.subarray(at, at + to - from), from);
    }
  }

  write64(pa: bigint, value: bigint): void {
    this.write(pa, new Uint8Array(BigUint64Array.of(value).buffer));
  }

  read64(pa: bigint): bigint {
    const word = new BigUint64Array(1);
    this.read(pa, new Uint8Array(word.buffer));
    return word[0] as bigint;
  }
}

const PAGE = 65536;

/** The pieces of bytes in pages: page, offset, and the range of bytes. */
function pieces(pa: bigint, length: number): { page: bigint; at: number; from: number; to: number }[] {
  const all = [];
  for (let from = 0; from < length; ) {
    const here = pa + BigInt(from);
    const at = Number(here % BigInt(PAGE));
    const to = Math.min(length, from + PAGE - at);
    all.push({ page: here / BigInt(PAGE), at, from, to });
    from = to;
  }
  return all;
}

/** What a lie changes: the outcome, whether a store arrives, or an entry. */
interface Lie {
  readonly outcome?: (outcome: Outcome) => Outcome;
  readonly losesStores?: boolean;
  /** Stores where it faults. */
  readonly storesAnyway?: boolean;
  readonly entries?: (memory: PhysicalMemory) => void;
}

/** A processor that walks like the model, and lies about one thing. */
class Liar implements Processor {
  readonly ram = new PagedRam();
  firstStore = 1n << 63n;
  readonly #lie: Lie;
  readonly #target: Target;

  constructor(lie: Lie, of = target) {
    this.#lie = lie;
    this.#target = of;
  }

  async run(
    [root = 0n, sum, mxr, adue]: readonly bigint[],
    jobs: readonly Job[],
  ): Promise<BigUint64Array<ArrayBuffer>> {
    const memory = tableMemory(this.#target);
    for (const { base, words } of memory.banks)
      this.ram.read(base, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
    const controls = { sum: sum === 1n, mxr: mxr === 1n, adue: adue === 1n };
    const subject: Subject = { format: configuration.format, controls };
    const table = new PageTableReader({ format: subject.format, memory, root });
    const model = new Model(this.#target, subject, memory, table);
    const results = new BigUint64Array(jobs.length * ACCESSES.length * RESULT_WORDS);
    for (const [i, { va, mask }] of jobs.entries()) {
      for (const [number, access] of ACCESSES.entries()) {
        if ((mask & (1 << number)) === 0) continue;
        const at = i * ACCESSES.length + number;
        const { outcome: honest, made } = model.expect(va, access);
        const outcome = this.#lie.outcome?.(honest) ?? honest;
        const words =
          outcome.kind === 'done'
            ? [0n, 0n, outcome.pa ?? 0n, BigInt(outcome.unit ?? 0)]
            : outcome.kind === 'fault'
              ? [1n, BigInt(outcome.code), outcome.address ?? 0n, 0n]
              : [];
        results.set(words, at * RESULT_WORDS);
        if (access.kind !== 'write' || this.#lie.losesStores === true) continue;
        const stored = this.#lie.storesAnyway === true ? made : honest;
        if (stored?.kind === 'done' && stored.pa !== null)
          this.ram.write64(stored.pa + offsetInUnit(access), this.firstStore + BigInt(at));
      }
    }
    this.#lie.entries?.(memory);
    for (const { base, words } of memory.banks)
      this.ram.write(base, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
    return results;
  }
}

async function differences(lie: Lie, batches = 3): Promise<string[]> {
  const found: string[] = [];
  for (let batch = 0; batch < batches; batch++) found.push(...differencesOf(await examined(lie, batch)));
  return found;
}

function examined(lie: Lie, batch = 0): Promise<Examined> {
  const one = { ...target, settings: () => ({ svpbmt: true, sum: true, mxr: false, adue: true }) };
  return examine({ target: one, guest: new Liar(lie), version: '10.0' }, configuration, 1, batch);
}

const onDone = (change: (pa: bigint) => Outcome) => (outcome: Outcome) =>
  outcome.kind === 'done' && outcome.pa !== null ? change(outcome.pa) : outcome;
const onFault = (change: Partial<Extract<Outcome, { kind: 'fault' }>>) => (outcome: Outcome) =>
  outcome.kind === 'fault' ? { ...outcome, ...change } : outcome;

describe('the judge', () => {
  it('finds no difference in an honest processor, after all kinds of accesses', async () => {
    const one = await examined({});
    expect(differencesOf(one)).toEqual([]);
    expect(one.judged.length).toBeGreaterThan(500);
    expect(new Set(one.judged.map(({ access }) => access)).size).toBe(6);
    expect(one.judged.some(({ expected }) => expected.outcome.kind === 'done')).toBe(true);
    expect(one.judged.some(({ expected }) => expected.outcome.kind === 'fault')).toBe(true);
    expect((await examined({}, 1)).tablesAre).not.toBe((await examined({}, 2)).tablesAre);
  });

  it.each<[string, Lie, RegExp]>([
    [
      'another page',
      { outcome: onDone((pa) => ({ kind: 'done', pa: pa ^ 0x1000n, unit: null })) },
      /done at/,
    ],
    ['another unit', { outcome: onDone((pa) => ({ kind: 'done', pa, unit: 1 })) }, /done at/],
    [
      'a fault in place of memory',
      { outcome: onDone(() => ({ kind: 'fault', name: 'scause', code: 13, address: 0n })) },
      /the MMU scause 0xd/,
    ],
    ['memory in place of a fault', { outcome: () => ({ kind: 'done', pa: 0n, unit: null }) }, /the MMU done/],
    ['another code', { outcome: onFault({ code: 2 }) }, /the MMU scause 0x2/],
    ['another address of a fault', { outcome: onFault({ address: 8n }) }, /the MMU scause .* at 0x0{15}8/],
    ['stores that do not arrive', { losesStores: true }, /^store at /],
    [
      'stores that arrive though they fault',
      { storesAnyway: true },
      /^store at .*the model leaves 0x0{16}, /,
    ],
    [
      'a bit of an entry',
      { entries: (memory) => memory.write64(0x8400_0010n, 1n) },
      /^entry at 0x0000000084000010.*the MMU 0x0{15}1/,
    ],
  ])('finds %s', async (_what, lie, message) => {
    const found = await differences(lie);
    expect(found.length).toBeGreaterThan(0);
    expect(found.some((line) => message.test(line))).toBe(true);
  });

  it.each([0, 1, 2, 3, 4, 5])('checks every store (batch %d)', async (batch) => {
    const { judged, wrongWords } = await examined({ losesStores: true }, batch);
    const stores = judged.filter(
      ({ access, expected: { outcome } }) =>
        ACCESSES[access]?.kind === 'write' && outcome.kind === 'done' && outcome.pa !== null,
    );
    expect(wrongWords.filter(({ what }) => what === 'store')).toHaveLength(stores.length);
  });

  it.each([0, 1, 2, 3, 4, 5])('has different units for all addresses (batch %d)', async (batch) => {
    const { judged } = await examined({}, batch);
    const units = new Map<bigint, bigint>();
    for (const { va, expected } of judged) {
      const { outcome } = expected;
      if (outcome.kind !== 'done' || outcome.pa === null) continue;
      expect(units.get(outcome.pa) ?? va).toBe(va);
      units.set(outcome.pa, va);
    }
    expect(units.size).toBeGreaterThan(20);
  });

  it('counts accesses without memory separately', async () => {
    const nowhere: Target = {
      ...target,
      noMemory: null,
      ram: { ...target.ram, frames: [0n, 0n], isEmpty: () => true },
    };
    const { judged } = await examine(
      { target: nowhere, guest: new Liar({}, nowhere), version: '10.0' },
      configuration,
      1,
      0,
    );
    const done = judged.filter(({ expected }) => expected.outcome.kind === 'done');
    expect(done.length).toBeGreaterThan(20);
    expect(judged.filter(({ isUnplaced }) => isUnplaced)).toEqual(done);
    expect((await examined({})).judged.filter(({ isUnplaced }) => isUnplaced)).toEqual([]);
  });

  it.each(riscv64Target.plants.map((plant) => [plant.name, plant] as const))(
    'makes the same accesses with a planted fault (%s)',
    async (_, planted) => {
      const known: Target = { ...target, deviations: riscv64Target.deviations };
      const asked = async (plant: Plant | null): Promise<unknown> => {
        const one = await examine(
          { target: known, guest: new Liar({}), version: '10.0' },
          configuration,
          1,
          0,
          plant?.apply,
        );
        return [one.jobs, one.leftOut];
      };
      expect(await asked(planted)).toEqual(await asked(null));
    },
  );

  it('makes the same batch for the same seed and number', async () => {
    const [one, same, other] = [await examined({}), await examined({}), await examined({}, 1)];
    expect(same.jobs).toEqual(one.jobs);
    expect(same.entries).toEqual(one.entries);
    expect(other.jobs).not.toEqual(one.jobs);
  });
});

describe('the smallest case', () => {
  const lie: Lie = { outcome: onFault({ code: 2 }) };
  const again = (liar: Liar) => (plan: Parameters<typeof runCase>[4]) =>
    runCase(target, liar, '10.0', configuration, plan);

  it('is one address with the entries of its walk', async () => {
    const one = await smallestCase(await examined(lie), again(new Liar(lie)));
    expect(one.alone).toBe(true);
    expect(one.jobs).toHaveLength(1);
    expect(one.entries.size).toBeLessThanOrEqual(configuration.format.levels.length);
    expect(one.differences.length).toBeGreaterThan(0);
    expect(differencesOf(await again(new Liar(lie))(one))).toEqual(one.differences);
    expect(differencesOf(await again(new Liar({}))(one))).toEqual([]);
  });

  it('is the whole batch if no address differs alone', async () => {
    const batch = await examined(lie);
    const one = await smallestCase(batch, again(new Liar({})));
    expect(one.alone).toBe(false);
    expect(one.jobs).toEqual(batch.jobs);
    expect(one.entries).toEqual(batch.entries);
    expect(one.differences).toEqual(differencesOf(batch));
  });
});
