/**
 * The TLBs of a processor, as plain data: what `TlbModel` models, and what a preset is.
 *
 * `null` says that nobody published the value. `TlbModel` then takes a stated default, and lists it in
 * `assumptions`.
 */
export interface TlbDescription {
  /** Short name, for options of commands: `zen-5`. */
  readonly name: string;
  /** Name for people: `AMD Zen 5`. */
  readonly title: string;
  /** What the names of its architecture's formats begin with: `x86-64`, `arm64`, `riscv64`. Absent: any format. */
  readonly architecture?: string;
  /** Where the numbers are from. */
  readonly source: string;
  /** What else the source says, that the numbers do not. */
  readonly notes?: string;
  /** The TLBs. Each kind of access is looked up in those that serve it, in the order of `level`. */
  readonly tlbs: readonly TlbUnit[];
  /** Caches of upper table entries. An empty list: it has none. `null`: unknown, modelled as none. */
  readonly walkCaches: readonly WalkCache[] | null;
  /** Walks that run at the same time; `null`: unknown. Data only: the model runs one access at a time. */
  readonly walkers: number | null;
  /**
   * Whether a page fault drops what the TLBs and walk caches have for the address. True on x86 (SDM vol. 3A, 4.10.4.1). Else a
   * walk that fails leaves the tables that it went through in the walk caches.
   */
  readonly dropsOnFault: boolean;
  /** What is lost on a miss. */
  readonly cycles: TlbCycles;
}

/** One TLB: one or several arrays that are looked up together. */
export interface TlbUnit {
  /** `L1D`, `L2`: names must differ. */
  readonly name: string;
  /** 1: looked up first. 2: looked up when level 1 misses. A kind of access has at most one of each level. */
  readonly level: 1 | 2;
  /** Kinds of access that it serves. */
  readonly kinds: readonly AccessKind[];
  /**
   * Its arrays. A translation is in one of them: the one that holds the largest part of the leaf, the first
   * of several. `null`: unknown, modelled with the arrays of the level's other unit.
   */
  readonly arrays: readonly TlbArrayDescription[] | null;
}

/** What an access does, in the words of core's `Access`. */
export type AccessKind = 'read' | 'write' | 'execute';

/** One array of entries. */
export interface TlbArrayDescription {
  /**
   * log2 bytes of the sizes that an entry may cover; `'all'`: every leaf whole. `null`: unknown, modelled as
   * `'all'`. A larger leaf is held in pieces of the largest size (a 1 GiB leaf in 512 entries of 2 MiB), each made when it is
   * first used. A smaller leaf is not held.
   */
  readonly sizes: readonly number[] | 'all' | null;
  /** Entries of the array. */
  readonly entries: number;
  /**
   * Entries in which one page may be. `entries / ways`, the number of sets, must be a power of two; the set is
   * chosen by the lowest bits of the page number. `'full'`: all entries. `null`: unknown, modelled as `'full'`.
   */
  readonly ways: number | 'full' | null;
  /** Which entry a new one takes; `null`: unknown, modelled as `'lru'`. Default: `null`. */
  readonly replacement?: Replacement | null;
  /**
   * Base pages that one entry can cover when they are an aligned group of neighbours, with frames that follow each
   * other and equal flags. Each page has a valid bit. 1: none. `null`: unknown, modelled as 1. Default: `null`.
   */
  readonly coalesce?: 1 | 2 | 4 | 8 | 16 | null;
  /**
   * Whether a run (arm64's contiguous bit, riscv64's NAPOT) is one entry of the run's size, where `sizes` has
   * it. `null`: unknown, modelled as false. Default: `null`.
   */
  readonly runs?: boolean | null;
  /**
   * Whether a hit in a piece of a larger leaf gives level 1 the whole leaf. Only for level 2. `null`: unknown, modelled as
   * false: level 1 gets the piece. Default: `null`.
   */
  readonly refillsLeaf?: boolean | null;
}

/**
 * Which entry a new one takes when none is free. `lru`: the one that was not used for the longest time. `tree-plru`: a
 * binary tree of bits points away from what was used; it needs a power of two of ways. `random`: by the option `seed`.
 */
export type Replacement = 'lru' | 'tree-plru' | 'random';

/**
 * A cache of upper table entries: the walk begins at the deepest table that one of them names. An entry is
 * made only for an entry that names a table, by a walk that went through it. It is kept by address and ASID.
 */
export interface WalkCache {
  /** For people: `PDE`. Names must differ. */
  readonly name: string;
  /**
   * The levels whose entries it holds, counted up from the last one: 1 holds those that name a last-level
   * table (x86-64's PDE cache, Linux's PMD), 2 those above. `'all'`: all but leaves.
   */
  readonly heights: readonly number[] | 'all';
  /** Its entries; or the name of the TLB that holds them among its own. That TLB is of level 2 and has one array. */
  readonly entries: number | { readonly inside: string };
  /** As in `TlbArrayDescription`. Not with `inside`. */
  readonly ways?: number | 'full' | null;
  /** As in `TlbArrayDescription`. Not with `inside`. */
  readonly replacement?: Replacement | null;
}

/** A number of cycles, as far as its source knows it. */
export interface CycleRange {
  /** At least. */
  readonly low: number;
  /** At most. */
  readonly high: number;
}

/** Cycles that a load takes longer than with a hit in the first level; `null`: unknown. */
export interface TlbCycles {
  /** With a hit in the second level. */
  readonly l2Hit: CycleRange | null;
  /** With a walk whose table reads hit the processor's caches. */
  readonly walk: CycleRange | null;
}
