import { bigintOption, choiceOption, flagOption, integerOption, optionsOf, VmError } from '@vmarea/core';

/** Where a program sees its arena. What an `ArenaPort` has is enough. */
export interface ArenaPlace {
  /** Where the arena begins for user space: a multiple of the page size, not 0. */
  readonly userVmStart: bigint;
  /** Pages that it may have: `max_entries` of its map. */
  readonly pages: number;
  /** Bytes of a page: a power of two from 4096 to 65536. */
  readonly pageSize: number;
  /** BPF_F_NO_USER_CONV: a cast to user space is a move of 32 bits. Default: what the map's flags say. */
  readonly noUserConv?: boolean;
}

/** How a program is linked. */
export interface LinkOptions {
  /** The arena, for an object that defines one. */
  readonly arena?: ArenaPlace;
  /**
   * Where global variables of the arena are: at its end, as libbpf puts them where the kernel takes offsets of the full range, or at its
   * start, as older ones do. Default: `end`.
   */
  readonly arenaGlobals?: 'end' | 'start';
  /** Names of the functions of the kernel that there are. An object that needs another one is refused, unless it is weak. Default: none. */
  readonly kfuncs?: readonly string[];
  /** Whether the global variables are in a SharedArrayBuffer, for several threads. Default: false. */
  readonly shared?: boolean;
}

/** Options after their checks. */
export interface CheckedOptions {
  readonly arena: Required<ArenaPlace> | null;
  readonly arenaGlobals: 'end' | 'start';
  readonly kfuncs: ReadonlySet<string>;
  readonly shared: boolean;
}

/** @throws VmError `EINVAL` for an unknown or invalid option. */
export function checkedLinkOptions(options: LinkOptions | undefined, noUserConv: boolean): CheckedOptions {
  const given = optionsOf(options, ['arena', 'arenaGlobals', 'kfuncs', 'shared'], 'link()');
  return {
    arena: given.arena === undefined ? null : checkedArena(given.arena, noUserConv),
    arenaGlobals: choiceOption(given, 'arenaGlobals', ['end', 'start'], 'end'),
    kfuncs: checkedNames(given.kfuncs ?? []),
    shared: flagOption(given, 'shared', false),
  };
}

/** Checks where an arena is. An object may have more members: it is a port that is made for another purpose, too. */
export function checkedArena(value: unknown, noUserConv: boolean): Required<ArenaPlace> {
  if (typeof value !== 'object' || value === null) {
    throw new VmError('EINVAL', `the arena is ${typeof value}`, {
      advice: 'pass an object with userVmStart, pages and pageSize',
    });
  }
  const { userVmStart, pages, pageSize, noUserConv: flag } = value as Partial<ArenaPlace>;
  const place = {
    userVmStart: bigintOption({ userVmStart }, 'userVmStart'),
    pageSize: integerOption({ pageSize }, 'pageSize', 4096, 65536),
    pages: integerOption({ pages }, 'pages', 1, 1 << 20),
    noUserConv: flagOption({ noUserConv: flag }, 'noUserConv', noUserConv),
  };
  if ((place.pageSize & (place.pageSize - 1)) !== 0) {
    throw new VmError('EINVAL', `pageSize is ${place.pageSize}, expected a power of two`);
  }
  const bytes = place.pages * place.pageSize;
  if (bytes > 2 ** 32) throw new VmError('E2BIG', `an arena of ${bytes} bytes is larger than 4 GiB`);
  const { userVmStart: address } = place;
  if (address === 0n || address % BigInt(place.pageSize) !== 0n)
    throw new VmError('EINVAL', 'userVmStart is no multiple of the page size, or 0', { address });
  const last = address + BigInt(bytes) - 1n;
  if (last >= 1n << 63n) throw new VmError('ERANGE', 'the arena is beyond user space', { address });
  // As arena_map_alloc (kernel/bpf/arena.c): programs change the low 32 bits of a pointer alone.
  if (address >> 32n !== last >> 32n) {
    throw new VmError('ERANGE', `an arena of ${bytes} bytes here crosses a multiple of 4 GiB`, {
      address,
      advice: 'let it end at the multiple, or begin there',
    });
  }
  return place;
}

function checkedNames(value: unknown): ReadonlySet<string> {
  if (!Array.isArray(value) || value.some((name) => typeof name !== 'string')) {
    throw new VmError('EINVAL', 'kfuncs are no array of names', { advice: "pass ['bpf_arena_alloc_pages']" });
  }
  return new Set(value as string[]);
}
