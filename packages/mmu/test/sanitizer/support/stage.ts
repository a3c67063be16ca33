import {
  type FlushSink,
  FrameAllocator,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  protection,
} from '@vmarea/core';
import { x8664 } from '@vmarea/x86-64';
import { FlushSanitizer, type FlushSanitizerOptions, type SanitizerReport } from '../../../src/index.js';
import { Cpu, shootdown } from './cpu.js';

/** A page that the kernel reads and writes. */
export const KERNEL = protection({ write: true });
/** The same for every address space. */
export const GLOBAL = protection({ write: true, global: true });

interface StageOptions {
  readonly format?: PageTableFormat;
  readonly cpus?: number;
  readonly asid?: number;
  /** Flushes wait in the processors' queues. */
  readonly queued?: boolean;
  readonly sanitizer?: Partial<FlushSanitizerOptions>;
  /** Stands between the table and the sanitizer: a fault of the program. */
  readonly sink?: (sink: FlushSink) => FlushSink;
  readonly cachesNotPresent?: boolean;
}

/** A small machine: tables, frames, processors, and a sanitizer between them. */
export function stage(options: StageOptions = {}) {
  const { format = x8664(), cpus: count = 2, asid = 0, queued = false, cachesNotPresent = false } = options;
  const { pageShift } = format;
  const page = 2 ** pageShift;
  const memory = PhysicalMemory.create({ bytes: 256 * page });
  const frames = new FrameAllocator(memory, { pageShift });
  const sanitizer = new FlushSanitizer({
    ...{ memory, frames: [frames], processors: count },
    ...options.sanitizer,
  });
  const cpus: Cpu[] = [];
  const sink = sanitizer.sink(shootdown(cpus));
  const table = new PageTable({
    ...{ format, memory, frames, asid },
    sink: options.sink?.(sink) ?? sink,
  });
  sanitizer.watch({ table, asid, cachesNotPresent });
  for (let i = 0; i < count; i++)
    cpus.push(new Cpu(sanitizer.processor(i), table, { asid, isPrompt: !queued }));
  const at = (pages: number): bigint =>
    (format.range.upper === 'ones' ? (1n << 64n) - (1n << BigInt(format.range.bits)) : 0x4000_0000n) +
    BigInt(pages * page);
  /** Physical address of the entry of an address at a level. */
  const entryOf = (va: bigint, level = format.levels.length - 1): bigint =>
    table.walk(va).steps[level]?.address as bigint;
  /** Writes the entry of an address by hand, as a guest's store does. */
  const write = (va: bigint, entry: bigint, level?: number): void =>
    memory.write64(entryOf(va, level), entry);
  const read = (va: bigint, level?: number): bigint => memory.read64(entryOf(va, level));
  const [cpu0, cpu1] = cpus as [Cpu, Cpu];
  return { format, memory, frames, sanitizer, table, sink, cpus, cpu0, cpu1, page, at, entryOf, write, read };
}

/** What a test compares of a report. */
export function brief({ code, class: kind, cause, processor, va }: SanitizerReport): string {
  return `${kind} ${code} ${cause} cpu${processor} 0x${va.toString(16)}`;
}

export function briefs({ reports }: FlushSanitizer): string[] {
  return reports.map(brief);
}
