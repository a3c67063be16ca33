import type { AccessRow, FrameOrder, WalkCacheChoice } from '@vmarea/compare';
import type { TraceFormat } from './trace/recognize.js';

/** What `vmarea-bench simulate --json` prints. The app's README documents the keys. */
export interface SimulateResult {
  readonly command: 'simulate';
  /** Increases when a key changes its meaning or is removed. */
  readonly schema: 1;
  readonly trace: {
    readonly file: string;
    readonly format: TraceFormat;
    /** Records that give accesses, and those of other kinds, which are left out; the first of these for people. */
    readonly records: number;
    readonly others: number;
    readonly firstOther: string;
    /** Unpacked. */
    readonly bytes: number;
    /** What is missing at its end; `null` when nothing is. */
    readonly cutOff: string | null;
  };
  readonly options: {
    readonly seed: number;
    readonly dense: number;
    readonly frames: FrameOrder;
    readonly walkCaches: WalkCacheChoice;
    /** Whether an entry holds a whole run where a preset does not say it. */
    readonly assumeRuns: boolean;
    /** The file of `--pagemap` or `--image`; `null` without. */
    readonly pagemap: string | null;
    readonly image: string | null;
  };
  readonly rows: readonly AccessRow[];
  readonly warnings: readonly string[];
}
