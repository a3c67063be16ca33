import { type PageTableFormat, PageTableReader, planOf } from '@vmarea/core';
import { memoryRuns } from '../containers/memory-runs.js';
import type { Image } from '../image.js';
import { directMapOf } from './direct-map.js';
import { EntryFilter } from './entry-filter.js';
import type { FormatMaker } from './formats.js';
import type { MachineKind, Proposal, Shape } from './proposal.js';

/** Bytes of the smallest frame. */
const SMALLEST = 4096;
/** Frames that are looked at as tables, for each format. A frame of tables costs some reads of others. */
const MOST_LOOKS = 16384;
/** Roots that are proposed: more than one is somebody's copy. */
const MOST_ROOTS = 16;

/** Told how far a scan is: a physical address, and that of the end, in bytes. */
export type Progress = (address: bigint, end: bigint) => void;

interface Trial {
  readonly machine: MachineKind;
  readonly shape: Shape;
  readonly format: PageTableFormat;
  readonly filter: EntryFilter;
  looks: number;
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
): { readonly machine: MachineKind; readonly proposal: Proposal }[] {
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
      return [{ machine, shape, format, filter, looks: 0 }];
    }),
  );
  const found: { machine: MachineKind; proposal: Proposal }[] = [];
  // Frames of several sizes are looked at in one pass.
  for (const { address, bytes } of memoryRuns(contents, SMALLEST, reporter(progress))) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (const trial of trials) {
      const size = 2 ** trial.shape.pageShift;
      for (let at = (size - (address % size)) % size; at + size <= bytes.length; at += size) {
        if (!trial.filter.mayBeRoot(words, at / 4) || trial.looks >= MOST_LOOKS) continue;
        trial.looks++;
        const root = BigInt(address + at);
        if (
          directMapOf(new PageTableReader({ format: trial.format, memory: image.memory, root }), image) ===
          null
        )
          continue;
        found.push({ machine: trial.machine, proposal: proposalOf(trial, root) });
        if (found.length >= MOST_ROOTS) return found;
      }
    }
  }
  return found;
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
