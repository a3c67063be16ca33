import { FrameAllocator, PageTable, PhysicalMemory, VmError } from '@vmarea/core';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { FlushSanitizer, type FlushSanitizerOptions, type SanitizerReport } from '../../src/index.js';
import { briefs, KERNEL, stage } from './support/stage.js';

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof VmError) return error.code;
    throw error;
  }
  return 'none';
}

/** Unmaps by hand and frees the frame. */
function misuse({ table, frames, at, write }: ReturnType<typeof stage>, page = 0): number {
  const pfn = frames.allocate();
  table.map(at(page), [pfn], KERNEL);
  write(at(page), 0n);
  frames.free(pfn);
  return pfn;
}

describe('a FlushSanitizer', () => {
  test('refuses wrong options, and names them', () => {
    const memory = PhysicalMemory.create({ bytes: 4096 });
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ memory: {} }, /memory/],
      [{ memory, frames: [{}] }, /frames/],
      [{ memory, roots: 1 }, /roots/],
      [{ memory, processors: -1 }, /processors/],
      [{ memory, most: 0 }, /most/],
      [{ memory, throws: 1 }, /throws/],
      [{ memory, onReport: 1 }, /onReport/],
      [{ memory, onreport: () => {} }, /onReport/],
    ];
    for (const [options, text] of wrong) {
      const call = () => new FlushSanitizer(options as unknown as FlushSanitizerOptions);
      expect(codeOf(call)).toBe('EINVAL');
      expect(call).toThrow(text);
    }
  });

  test('refuses a processor, a root or a target that does not exist', () => {
    const { sanitizer } = stage();
    expect(codeOf(() => sanitizer.processor(2))).toBe('EINVAL');
    expect(codeOf(() => sanitizer.unwatch(0x123000n))).toBe('EINVAL');
    expect(codeOf(() => sanitizer.sink({} as never))).toBe('EINVAL');
    expect(codeOf(() => sanitizer.watch({ table: stage().table, asid: -1 }))).toBe('EINVAL');
  });

  test('keeps each finding once, with a count, and not more than `most`', () => {
    const made = stage({ sanitizer: { most: 2 } });
    const { sanitizer, table, frames, at, write } = made;
    const pfn = misuse(made);
    frames.allocate();
    frames.free(pfn);
    expect(sanitizer.reports.map(({ code, count }) => `${code} ${count}`)).toEqual([
      'frame-freed 2',
      'frame-reused 1',
    ]);
    misuse(made, 1);
    expect(sanitizer.dropped).toBeGreaterThan(0);
    sanitizer.clear();
    expect(sanitizer.reports).toEqual([]);
    expect(table.translate(at(1))).toBeNull();
    expect(write).toBeTypeOf('function');
  });

  test('calls onReport with each new report, and passes its error on at the next flush', () => {
    const seen: SanitizerReport[] = [];
    const stop = new Error('stop');
    const made = stage({
      sanitizer: {
        onReport: (report) => {
          seen.push(report);
          throw stop;
        },
      },
    });
    misuse(made);
    expect(seen.map(({ code }) => code)).toEqual(['frame-freed']);
    expect(() => made.sanitizer.checkpoint()).toThrow(stop);
    made.sanitizer.checkpoint();
  });

  test('throws an error at the call that finds it, and leaves lazy ones alone', () => {
    const made = stage({ sanitizer: { throws: true } });
    misuse(made);
    expect(codeOf(() => made.sanitizer.checkpoint())).toBe('EFAULT');
    expect(() => made.sanitizer.settle()).toThrow(
      /unflushed at event \d+: processors 0, 1 may still have the old entry/,
    );
  });

  test('says processor, address, both entries and both moments in its text', () => {
    const made = stage();
    misuse(made);
    const { changedAt, at } = made.sanitizer.reports[0] as SanitizerReport;
    expect(changedAt).toBeLessThan(at);
    expect(`${made.sanitizer.reports[0]}`).toBe(
      [
        `error frame-freed at event ${at}: frame 0x1 was freed, and processors 0, 1 may still translate to it`,
        `  0x0000000040000000, 0x1000 bytes, asid 0: PTE entry at 0x0000000000004000 was 0x8000000000001063, is 0x0000000000000000, changed at event ${changedAt}`,
        '  nobody has asked for a flush of it',
      ].join('\n'),
    );
  });

  test('lets go of everything at its end', () => {
    const made = stage();
    const { sanitizer, frames, memory } = made;
    sanitizer.end();
    misuse(made);
    expect(sanitizer.reports).toEqual([]);
    expect(frames.free).toBe(FrameAllocator.prototype.free);
    expect(memory.write64).toBe(PhysicalMemory.prototype.write64);
  });

  test('works beside another one on the same allocator', () => {
    const made = stage();
    const { memory, frames, table } = made;
    const second = new FlushSanitizer({ memory, frames: [frames] });
    second.watch({ table });
    misuse(made);
    expect(second.reports.map(({ code }) => code)).toEqual(['frame-freed']);
    expect(made.sanitizer.reports.map(({ code }) => code)).toEqual(['frame-freed']);
    made.sanitizer.end();
    second.end();
    expect(frames.allocate()).toBeGreaterThan(0);
  });

  test('is told of frames of an allocator of the caller', () => {
    const memory = PhysicalMemory.create({ bytes: 64 * 4096 });
    const frames = new FrameAllocator(memory, { first: 32, frames: 32 });
    const sanitizer = new FlushSanitizer({ memory });
    const table = new PageTable({ format: x8664(), memory, frames, sink: sanitizer.sink() });
    sanitizer.watch({ table });
    table.map(0n, [1], KERNEL);
    memory.write64(table.walk(0n).steps[3]?.address as bigint, 0n);
    sanitizer.framesFreed([2]);
    expect(briefs(sanitizer)).toEqual([]);
    sanitizer.framesFreed([1]);
    sanitizer.framesHandedOut([1]);
    expect(sanitizer.reports.map(({ code }) => code)).toEqual(['frame-freed', 'frame-reused']);
  });

  test('counts uses of a page while its flush is under way, and reports none', () => {
    const { sanitizer, table, frames, cpus, cpu1, at, page } = stage({ queued: true });
    table.map(at(0), [frames.allocate()], KERNEL);
    cpu1.access(at(0));
    table.unmap(at(0), page);
    cpu1.access(at(0));
    expect(sanitizer.inFlightUses).toBe(1);
    for (const cpu of cpus) cpu.pending();
    expect(briefs(sanitizer)).toEqual([]);
  });

  test('sees nothing of a call that is unwatched', () => {
    const made = stage();
    const { sanitizer } = made;
    expect(sanitizer.unwatched(() => misuse(made))).toBe(1);
    sanitizer.settle();
    expect(briefs(sanitizer)).toEqual([]);
  });
});
