import {
  type FrameAllocator,
  flagOption,
  integerOption,
  optionsOf,
  type PhysicalMemory,
  VmError,
} from '@vmarea/core';
import type { SanitizerReport } from './report.js';
import type { RootToWatch } from './watched-root.js';

/** Options of a `FlushSanitizer`. */
export interface FlushSanitizerOptions {
  /** The memory that holds the tables. */
  readonly memory: PhysicalMemory;
  /** Roots to watch from the start; `watch` adds others. Default: none. */
  readonly roots?: readonly RootToWatch[];
  /**
   * Number of processors, 0 to 1024. With 0, a flush that is requested counts as done everywhere when the sink
   * behind the sanitizer returns. Otherwise each processor says for itself what it has flushed. Default: 0.
   */
  readonly processors?: number;
  /** Allocators whose frames are watched: of tables and of pages. Default: none. */
  readonly frames?: readonly FrameAllocator[];
  /** Called with each new report. */
  readonly onReport?: (report: SanitizerReport) => void;
  /**
   * True: a report of class `error` is thrown as a VmError `EFAULT`, by the call of the sanitizer that finds it. What
   * an allocator's call finds is thrown by the next flush, use or `checkpoint`. Default: false.
   */
  readonly throws?: boolean;
  /** Most reports that are kept, 1 to 1,000,000. Default: 1000. */
  readonly most?: number;
}

const NAMES = ['memory', 'roots', 'processors', 'frames', 'onReport', 'throws', 'most'] as const;

/** Options with their defaults, checked. */
export interface CheckedOptions {
  readonly memory: PhysicalMemory;
  readonly roots: readonly RootToWatch[];
  readonly processors: number;
  readonly frames: readonly FrameAllocator[];
  readonly onReport: ((report: SanitizerReport) => void) | undefined;
  readonly throws: boolean;
  readonly most: number;
}

/** @throws VmError `EINVAL` naming the option. */
export function checkedOptions(options: FlushSanitizerOptions): CheckedOptions {
  const o = optionsOf<FlushSanitizerOptions>(options, NAMES, 'FlushSanitizer');
  const { memory, roots = [], frames = [], onReport } = o as FlushSanitizerOptions;
  if (typeof memory?.locate !== 'function') throw wrong('memory', 'a PhysicalMemory');
  if (!Array.isArray(roots)) throw wrong('roots', 'an array of roots to watch');
  if (!Array.isArray(frames) || frames.some((one) => typeof one?.tryAllocate !== 'function'))
    throw wrong('frames', 'an array of FrameAllocators');
  if (onReport !== undefined && typeof onReport !== 'function') throw wrong('onReport', 'a function');
  return {
    ...{ memory, onReport, roots: [...roots], frames: [...frames] },
    processors: integerOption(o, 'processors', 0, 1024, 0),
    throws: flagOption(o, 'throws', false),
    most: integerOption(o, 'most', 1, 1_000_000, 1000),
  };
}

function wrong(name: string, expected: string): VmError {
  return new VmError('EINVAL', `${name} of FlushSanitizer: expected ${expected}`);
}
