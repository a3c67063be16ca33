import {
  bigintOption,
  choiceOption,
  flagOption,
  type Given,
  integerOption,
  optionsOf,
  VmError,
} from '@vmarea/core';
import type { ArenaReport } from './data/report.js';
import { BPF_F_MMAPABLE } from './flags.js';
import type { ArenaPoint } from './kernel/core.js';
import type { AllocationKind } from './kernel/failure.js';
import { type ArenaRelease, RELEASES } from './kernel/releases.js';

/** What an arena is made with: the attributes of BPF_MAP_CREATE, and what a simulator adds. */
export interface ArenaOptions {
  /** Pages of the arena, 1 to 4 GiB / page size (max_entries). */
  readonly maxEntries: number;
  /** First user address, a multiple of the page size (map_extra). Default: 0n, the first mmap decides. */
  readonly mapExtra?: bigint;
  /** BPF_F_MMAPABLE, and any of BPF_F_SEGV_ON_FAULT and BPF_F_NO_USER_CONV (map_flags). Default: BPF_F_MMAPABLE. */
  readonly flags?: number;
  /** Must be 0 (key_size). Default: 0. */
  readonly keySize?: number;
  /** Must be 0 (value_size). Default: 0. */
  readonly valueSize?: number;
  /** Which kernel to follow. Default: `three-state`, the newest. */
  readonly release?: ArenaRelease;
  /** Whether the JIT supports arenas (bpf_jit_supports_arena). Default: true. */
  readonly jitSupportsArena?: boolean;
  /** Number of memory nodes that are online: nodes 0 to `nodes` - 1. Default: 1. */
  readonly nodes?: number;
  /**
   * Decides whether an allocation fails for a moment, as Linux's may at any time. It must not call the arena. Default: none
   * fails.
   */
  readonly allocFailure?: (kind: AllocationKind) => boolean;
  /**
   * Called where Linux holds no lock of the arena in the middle of a call. What it does is what other processors do
   * meanwhile: it may call the arena. Default: nothing.
   */
  readonly interleave?: (point: ArenaPoint) => void;
  /** Gets a report of each access to a page that is not there. Default: nobody. */
  readonly report?: (report: ArenaReport) => void;
  /** Refuses a hint whose upper half is neither 0 nor that of the arena. Linux ignores upper halves. Default: false. */
  readonly strictHints?: boolean;
  /**
   * Pages to reserve from the address whose low half is 0, if the arena has it: a program takes a pointer there for NULL.
   * 0 to 2^20. Default: 0.
   */
  readonly reserveNull?: number;
  /** Who made it, as `%pS` prints it; vmallocinfo shows it. Default: `arena_map_alloc`. */
  readonly caller?: string;
}

/** What a thread brings along that uses an arena of another one: functions do not travel. */
export type AttachArenaOptions = Pick<ArenaOptions, 'allocFailure' | 'interleave' | 'report'>;

/** The options, complete. The rules of Linux for their values come later, in its order. */
export interface CheckedOptions {
  readonly maxEntries: number;
  readonly mapExtra: bigint;
  readonly flags: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly release: ArenaRelease;
  readonly jitSupportsArena: boolean;
  readonly nodes: number;
  readonly allocFailure: ((kind: AllocationKind) => boolean) | undefined;
  readonly interleave: ((point: ArenaPoint) => void) | undefined;
  readonly report: ((report: ArenaReport) => void) | undefined;
  readonly strictHints: boolean;
  readonly reserveNull: number;
  readonly caller: string;
}

const NAMES = [
  ...(['maxEntries', 'mapExtra', 'flags', 'keySize', 'valueSize', 'release', 'jitSupportsArena'] as const),
  ...(['nodes', 'allocFailure', 'interleave', 'report', 'strictHints', 'reserveNull', 'caller'] as const),
] as const;

const WORD = 2 ** 32 - 1;

/** @throws VmError `EINVAL` for an unknown option, or a value of the wrong type. */
export function checkedOptions(options: ArenaOptions): CheckedOptions {
  const given = optionsOf<Partial<ArenaOptions>>(options, NAMES, 'createArena()');
  const releases = Object.keys(RELEASES) as ArenaRelease[];
  return {
    maxEntries: integerOption(given, 'maxEntries', 0, WORD),
    mapExtra: bigintOption(given, 'mapExtra', 0n),
    flags: integerOption(given, 'flags', 0, WORD, BPF_F_MMAPABLE),
    keySize: integerOption(given, 'keySize', 0, WORD, 0),
    valueSize: integerOption(given, 'valueSize', 0, WORD, 0),
    release: choiceOption(given, 'release', releases, 'three-state'),
    jitSupportsArena: flagOption(given, 'jitSupportsArena', true),
    nodes: integerOption(given, 'nodes', 1, 1024, 1),
    allocFailure: functionOf(given, 'allocFailure'),
    interleave: functionOf(given, 'interleave'),
    report: functionOf(given, 'report'),
    strictHints: flagOption(given, 'strictHints', false),
    reserveNull: integerOption(given, 'reserveNull', 0, 2 ** 20, 0),
    caller: given.caller === undefined ? 'arena_map_alloc' : (given.caller as string),
  };
}

/** @throws VmError `EINVAL` for an unknown option, or one that is no function. */
export function checkedAttachOptions(options: AttachArenaOptions | undefined): AttachArenaOptions {
  const given = optionsOf<AttachArenaOptions>(
    options,
    ['allocFailure', 'interleave', 'report'],
    'attachArena()',
  );
  return {
    allocFailure: functionOf(given, 'allocFailure'),
    interleave: functionOf(given, 'interleave'),
    report: functionOf(given, 'report'),
  } as AttachArenaOptions;
}

function functionOf<Name extends 'allocFailure' | 'interleave' | 'report'>(
  given: Given<Partial<ArenaOptions>>,
  name: Name,
): ArenaOptions[Name] {
  const value = given[name];
  if (value !== undefined && typeof value !== 'function')
    throw new VmError('EINVAL', `${name} of createArena() is no function`);
  return value as ArenaOptions[Name];
}
