/** What was found for one configuration. */
export interface MmuRow {
  readonly configuration: string;
  readonly target: string;
  /** `qemu-system-aarch64 10.0.2`. */
  readonly qemu: string;
  readonly batches: number;
  readonly addresses: number;
  readonly accesses: number;
  /** Those of them that were made where there is no memory: nothing tells where they went. */
  readonly unplaced: number;
  /** Accesses by what the model says of them (`done`, or the kind of the fault), and by the level where the walk ended. */
  readonly outcomes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Entries in which the processor set accessed or dirty bits. */
  readonly entriesTouched: number;
  /** Accesses that met a known deviation, by its name: those compared with what QEMU does, and those not made. */
  readonly deviations: Readonly<Record<string, number>>;
  readonly leftOut: Readonly<Record<string, number>>;
  readonly differences: number;
  /** Case files, and their first lines. */
  readonly cases: readonly { readonly file: string; readonly line: string }[];
  readonly seconds: number;
}

/** What became of a planted fault. */
export interface PlantRow {
  readonly configuration: string;
  readonly plant: string;
  /** Batches until it was found; `null` when it was not. */
  readonly batches: number | null;
  readonly file: string | null;
  readonly line: string | null;
  /** The case differs with the fault when it is made alone, and agrees without it. */
  readonly isConfirmed: boolean;
}

/** Everything that `vmarea-bench mmu --json` prints. */
export interface MmuResult {
  readonly command: 'mmu';
  readonly schema: 1;
  readonly seed: number;
  readonly rows: readonly MmuRow[];
  readonly plants: readonly PlantRow[];
  /** Configurations that could not be judged, and why. */
  readonly skipped: readonly { readonly configuration: string; readonly why: string }[];
  readonly warnings: readonly string[];
}
