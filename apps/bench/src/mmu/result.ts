/** The result for one configuration. */
export interface MmuRow {
  readonly configuration: string;
  readonly target: string;
  /** `qemu-system-aarch64 10.0.2`. */
  readonly qemu: string;
  readonly batches: number;
  readonly addresses: number;
  readonly accesses: number;
  /** Those of them to addresses without memory: nothing shows where they went. */
  readonly unplaced: number;
  /** Accesses by the model's outcome (`done`, or the kind of the fault), and by the level where the walk ended. */
  readonly outcomes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Entries in which the processor set accessed or dirty bits. */
  readonly entriesTouched: number;
  /** Accesses with a known deviation, by its name: those compared with QEMU's behaviour, and those not made. */
  readonly deviations: Readonly<Record<string, number>>;
  readonly leftOut: Readonly<Record<string, number>>;
  readonly differences: number;
  /** The same for the accesses through `Mmu`. */
  readonly mmuDifferences: number;
  /** Case files, and their first lines. */
  readonly cases: readonly { readonly file: string; readonly line: string }[];
  readonly seconds: number;
}

/** The result for a planted fault. */
export interface PlantRow {
  readonly configuration: string;
  readonly plant: string;
  /** Batches until it was found; `null` when it was not. */
  readonly batches: number | null;
  readonly file: string | null;
  readonly line: string | null;
  /** True when the case alone differs with the fault and agrees without it. */
  readonly isConfirmed: boolean;
  /** True when the same accesses through `Mmu` differ with the fault, too. */
  readonly isSeenByMmu: boolean;
}

/** What `vmarea-bench mmu --json` prints. */
export interface MmuResult {
  readonly command: 'mmu';
  readonly schema: 1;
  readonly seed: number;
  readonly rows: readonly MmuRow[];
  readonly plants: readonly PlantRow[];
  /** Configurations that were not judged, and why. */
  readonly skipped: readonly { readonly configuration: string; readonly why: string }[];
  readonly warnings: readonly string[];
}
