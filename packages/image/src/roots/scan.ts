import { type PageTableFormat, PageTableReader, planOf } from '@vmarea/core';
import { memoryRuns } from '../containers/memory-runs.js';
import type { Image } from '../image.js';
import { directMapOf } from './direct-map.js';
import { EntryFilter } from './entry-filter.js';
import type { FormatMaker } from './formats.js';
import type { MachineKind, Proposal, Shape } from './proposal.js';

/** Bytes of the smallest frame. */
const SMALLEST = 4096;
/** How much a scan does at most. */
export interface ScanLimits {
  /** Frames that are looked at as tables, for each format. A frame of tables costs some reads of others. */
  readonly looks: number;
  /** Roots that are proposed: more than one is somebody's copy. */
  readonly roots: number;
}

const LIMITS: ScanLimits = { looks: 16384, roots: 16 };

/** What a scan found, and which limits it came to: after one there may be more. */
export interface ScanResult {
  readonly found: readonly { readonly machine: MachineKind; readonly proposal: Proposal }[];
  readonly reasons: readonly string[];
}

/** Told how far a scan is: a physical address, and that of the end, in bytes. */
export type Progress = (address: bigint, end: bigint) => void;

interface Trial {
  readonly machine: MachineKind;
  readonly shape: Shape;
  readonly format: PageTableFormat;
  readonly filter: EntryFilter;
  looks: number;
  /** Where the first frame is that was not looked at; -1 for none. */
  missed: number;
}

/**
 * Looks through all memory for the kernel's root: a frame of table entries, with nothing in the process's half, that the direct
 * map below it maps itself.
 */
export function scanForKernel(
  image: Image,
  machines: readonly MachineKind[],
  formats: FormatMaker,
  progress: Progress | undefined,
  limits: ScanLimits = LIMITS,
): ScanResult {
  const { contents } = image;
  const trials = machines.flatMap((machine) =>
    machine.shapes.flatMap((shape): Trial[] => {
      const format = formats.make(shape.format, shape.options);
      if (typeof format === 'string') return [];
      const filter = new EntryFilter(
        planOf(format),
        contents.end,
        machine.sharedHalf?.userShare ?? 0,
        shape.mark,
      );
      return [{ machine, shape, format, filter, looks: 0, missed: -1 }];
    }),
  );
  const found: { machine: MachineKind; proposal: Proposal }[] = [];
  // Frames of several sizes are looked at in one pass.
  for (const { address, bytes } of memoryRuns(contents, SMALLEST, reporter(progress))) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (const trial of trials) {
      const size = 2 ** trial.shape.pageShift;
      for (let at = (size - (address % size)) % size; at + size <= bytes.length; at += size) {
        if (trial.missed >= 0 || !trial.filter.mayBeRoot(words, at / 4)) continue;
        if (trial.looks >= limits.looks) {
          trial.missed = address + at;
          continue;
        }
        if (found.length >= limits.roots) {
          const reason = `the scan ended at 0x${(address + at).toString(16)}, after ${limits.roots} tables that map themselves`;
          return { found, reasons: [...missedBy(trials, limits), reason] };
        }
        trial.looks++;
        const root = BigInt(address + at);
        if (
          directMapOf(new PageTableReader({ format: trial.format, memory: image.memory, root }), image) ===
          null
        )
          continue;
        found.push({ machine: trial.machine, proposal: proposalOf(trial, root) });
      }
    }
  }
  return { found, reasons: missedBy(trials, limits) };
}

function missedBy(trials: readonly Trial[], limits: ScanLimits): string[] {
  return trials
    .filter(({ missed }) => missed >= 0)
    .map(
      ({ format, missed }) =>
        `the scan for ${format.name} ended at 0x${missed.toString(16)}, after ${limits.looks} frames that may be tables`,
    );
}

/** The same progress in bigints. */
export function reporter(
  progress: Progress | undefined,
): ((address: number, end: number) => void) | undefined {
  return progress === undefined ? undefined : (address, end) => progress(BigInt(address), BigInt(end));
}

function proposalOf({ shape }: Trial, root: bigint): Proposal {
  return {
    format: shape.format,
    options: shape.options,
    controls: {},
    root,
    role: 'kernel',
    origin: 'scan',
    from: `a scan of memory for tables that map themselves, at 0x${root.toString(16)}`,
    expected: [],
    vmcoreinfo: null,
  };
}
