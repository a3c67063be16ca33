import { firstAddress } from '@vmarea/conformance';
import type { FrameStats, PageTableFormat, Snapshot } from '@vmarea/core';
import {
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  protection,
  restoreSnapshot,
  takeSnapshot,
  VmError,
  wasmLoops,
} from '@vmarea/core';
import { ModelTlb, walkBytes } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { wideRoot } from '../../formats/index.js';
import { riscv64 } from '../../formats/riscv64.js';
import { digest } from '../../support/digest.js';

/*
 * Several page tables over one memory: random calls, snapshots in between, and restores in any order through any of them. The
 * judge is a plain Map for each page table, copied at each snapshot, and a hash of all bytes. Each page table has a TLB, which
 * must never hold what the tables no longer say.
 */

/** VMAREA_RUNS multiplies the number of runs. */
const RUNS = Number(process.env.VMAREA_RUNS ?? 1);

const WRITE = protection({ write: true });
/** More than all page tables of a run need: no call runs out of frames. */
const FRAMES = 160;
const MOST_TABLES = 4;

type Model = ReadonlyMap<number, number>;

interface Call {
  kind: 'make' | 'map' | 'unmap' | 'destroy' | 'write' | 'allocate' | 'free' | 'snapshot' | 'restore';
  /** Which page table, and which of the snapshots or frames, modulo their number. */
  table: number;
  which: number;
  place: number;
  offset: number;
  pages: number;
  pfn: number;
  reclaim: boolean;
}

const calls = fc.array(
  fc.record<Call>({
    kind: fc.constantFrom(
      ...(['make', 'map', 'map', 'map', 'unmap', 'unmap', 'destroy', 'write', 'allocate', 'free'] as const),
      ...(['snapshot', 'snapshot', 'restore', 'restore', 'restore'] as const),
    ),
    table: fc.nat(11),
    which: fc.nat(11),
    place: fc.nat(3),
    offset: fc.integer({ min: 0, max: 3 }),
    pages: fc.integer({ min: 1, max: 4 }),
    pfn: fc.nat(200),
    reclaim: fc.boolean(),
  }),
  { minLength: 4, maxLength: 40 },
);

interface Process {
  readonly table: PageTable;
  readonly tlb: ModelTlb;
  /** `null` when it was destroyed or is gone. */
  model: Model | null;
}

interface Moment {
  readonly snapshot: Snapshot;
  readonly digest: string;
  readonly stats: FrameStats;
  readonly models: readonly (Model | null)[];
  readonly data: readonly number[];
}

class World {
  readonly #format: PageTableFormat;
  readonly #memory: PhysicalMemory;
  readonly #frames: FrameAllocator;
  readonly #processes: Process[] = [];
  readonly #moments: Moment[] = [];
  /** Frames that the test took for itself. */
  #data: number[] = [];

  constructor(format: PageTableFormat, scatter: boolean, shared: boolean) {
    const { pageShift } = format;
    this.#format = format;
    this.#memory = PhysicalMemory.create({
      loops: wasmLoops,
      bytes: FRAMES << pageShift,
      base: 0x80000000n,
      shared,
    });
    this.#frames = new FrameAllocator(this.#memory, {
      pageShift,
      shared,
      ...(scatter ? { scatter: 7 } : {}),
    });
    this.make();
  }

  make(): void {
    const alive = this.#processes.filter(({ model }) => model !== null);
    if (alive.length >= MOST_TABLES) return;
    const tlb = new ModelTlb(this.#format);
    const table = new PageTable({
      format: this.#format,
      memory: this.#memory,
      frames: this.#frames,
      sink: tlb,
    });
    Object.assign(tlb, { memory: this.#memory, frames: this.#frames, root: table.root });
    this.#processes.push({ table, tlb, model: new Map() });
  }

  run(call: Call): void {
    const { kind, which } = call;
    const process = this.#processes[call.table % this.#processes.length] as Process;
    if (kind === 'make') this.make();
    else if (kind === 'allocate') this.#data.push(...this.#frames.allocateMany(call.pages));
    else if (kind === 'snapshot') this.#snapshot(process);
    else if (kind === 'restore') this.#restore(process, this.#moments[which % this.#moments.length]);
    else if (kind === 'write' || kind === 'free') this.#useData(call);
    else if (process.model === null) this.#refused(process);
    else if (kind === 'map') this.#map(process, process.model, call);
    else if (kind === 'unmap') this.#unmap(process, process.model, call);
    else {
      process.table.destroy();
      process.model = null;
    }
    for (const one of this.#processes) this.#compare(one);
  }

  #useData({ kind, which, pfn }: Call): void {
    const at = which % Math.max(1, this.#data.length);
    const frame = this.#data[at];
    if (frame === undefined) return;
    if (kind === 'write') this.#memory.write32(BigInt(frame) << BigInt(this.#format.pageShift), pfn);
    else {
      this.#frames.free(frame);
      this.#data = this.#data.filter((_, i) => i !== at);
    }
  }

  #map({ table, tlb }: Process, model: Model, call: Call): void {
    const first = this.#page(call);
    const pages = Array.from({ length: call.pages }, (_, i) => first + i);
    const isBusy = pages.some((page) => model.has(page));
    const list = pages.map((_, i) => call.pfn + 2 * i);
    const code = codeOf(() => table.map(this.#address(first), list, WRITE));
    expect(code).toBe(isBusy ? 'EBUSY' : null);
    if (isBusy) return;
    const process = this.#processes.find((one) => one.table === table) as Process;
    process.model = new Map([...model, ...pages.map((page, i) => [page, list[i] as number] as const)]);
    tlb.fill(pages.map((page) => this.#address(page)));
  }

  #unmap(process: Process, model: Model, call: Call): void {
    const first = this.#page(call);
    const bytes = call.pages << this.#format.pageShift;
    process.table.unmap(this.#address(first), bytes, { reclaim: call.reclaim });
    const left = [...model].filter(([page]) => page < first || page >= first + call.pages);
    process.model = new Map(left);
  }

  #snapshot(process: Process): void {
    if (process.model === null) {
      this.#refused(process);
      return;
    }
    const digest = this.#digest();
    this.#moments.push({
      snapshot: takeSnapshot(process.table),
      digest,
      stats: this.#frames.stats(),
      models: this.#processes.map(({ model }) => model),
      data: this.#data,
    });
    this.#data = [...this.#data];
    expect(this.#digest()).toBe(digest);
  }

  #restore(process: Process, moment: Moment | undefined): void {
    if (moment === undefined) return;
    const models = this.#processes.map((_, i) => moment.models[i] ?? null);
    const before = this.#digest();
    const code = codeOf(() => restoreSnapshot(process.table, moment.snapshot));
    const isHeld = models[this.#processes.indexOf(process)] !== null;
    expect(code).toBe(isHeld ? null : 'EINVAL');
    expect(this.#digest()).toBe(isHeld ? moment.digest : before);
    if (!isHeld) return;
    expect(this.#frames.stats()).toEqual(moment.stats);
    this.#data = [...moment.data];
    this.#processes.forEach((one, i) => {
      one.model = models[i] ?? null;
    });
  }

  #refused({ table }: Process): void {
    const before = this.#digest();
    const va = this.#address(0);
    for (const call of [
      () => table.map(va, [1], WRITE),
      () => table.unmap(va, 1 << this.#format.pageShift),
      () => table.leaves(),
      () => takeSnapshot(table),
      () => table.destroy(),
      () => table.translateWords(0, 0),
    ]) {
      expect(codeOf(call)).toBe('EINVAL');
    }
    expect(this.#digest()).toBe(before);
  }

  /** The tables say what the model says, by the engine and by their bytes. */
  #compare({ table, tlb, model }: Process): void {
    if (model === null) {
      expect(codeOf(() => table.translate(0n))).toBe('EINVAL');
      return;
    }
    tlb.expectFresh();
    const shift = BigInt(this.#format.pageShift);
    const base = firstAddress(this.#format, 'lower');
    const listed = new Map<number, number>();
    for (const { va, count, pfn } of table.leaves()) {
      for (let i = 0; i < count; i++) listed.set(Number((va - base) >> shift) + i, pfn + i);
    }
    const byPage = (map: Model): [number, number][] => [...map].sort(([a], [b]) => a - b);
    expect(byPage(listed)).toEqual(byPage(model));
    const found = [...model.keys()].map((page) => {
      const va = this.#address(page);
      return [
        walkBytes(this.#format, this.#memory, table.root, va)?.pa,
        table.translateWords(Number(va >> 32n), Number(va & 0xffffffffn)),
      ];
    });
    expect(found).toEqual([...model.values()].map((pfn) => [BigInt(pfn) << shift, pfn]));
    tlb.fill([...model.keys()].map((page) => this.#address(page)));
  }

  #digest(): string {
    return digest({ memory: this.#memory, frames: this.#frames });
  }

  /** Pages around the places where levels meet; in the lower half where there are two. */
  #page({ place, offset }: Call): number {
    const { levels, pageShift, range } = this.#format;
    const total = 2 ** (range.bits - pageShift - (range.upper === 'sign' ? 1 : 0));
    const level = levels[Math.max(0, levels.length - 1 - place)];
    const boundary = 2 ** ((level?.shift ?? 0) - pageShift);
    return Math.max(0, Math.min(boundary + offset - 2, total - 8));
  }

  #address(page: number): bigint {
    return firstAddress(this.#format, 'lower') + (BigInt(page) << BigInt(this.#format.pageShift));
  }
}

function codeOf(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    if (error instanceof VmError) return error.code;
    throw error;
  }
}

describe.each(
  [
    arm64({ granule: 4, vaBits: 48 }),
    arm64({ granule: 4, vaBits: 25 }),
    arm64({ granule: 16, vaBits: 36, half: 'ttbr0' }),
    riscv64(3),
    riscv64(5),
    wideRoot(),
  ].map((format) => [format.name, format] as const),
)('snapshots of %s', (_name, format) => {
  test('restore what plain Maps hold, in any order', () => {
    fc.assert(
      fc.property(calls, fc.boolean(), fc.boolean(), (list, scatter, shared) => {
        const world = new World(format, scatter, shared);
        for (const call of list) world.run(call);
      }),
      { numRuns: RUNS * (format.pageShift === 12 ? 40 : 10), seed: 20270318 },
    );
  });
});
