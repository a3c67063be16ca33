import type { OverFormat } from '@vmarea/compare';
import type { EndState } from './end-state.js';
import type { SnapshotResult } from './snapshot.js';
import type { Tally } from './tally.js';
import type { Damage } from './trace.js';

/** The result of a replay. */
export interface ReplayResult {
  readonly command: 'replay';
  readonly schema: 1;
  readonly set: string;
  readonly pageBytes: number;
  readonly cpus: number;
  /**
   * Requests, frees, purges and per-cpu chunks, and how many were replayed in a second. Rows with steps of these, or with locks, do not
   * count.
   */
  readonly events: number;
  readonly eventsPerSecond: number;
  /** Successful requests. */
  readonly placements: number;
  /** Placements that the recording determines. */
  readonly determined: number;
  readonly equal: number;
  readonly different: number;
  /** Placements that only the other choice explains, where the recording does not tell which was made; the lines of the first. */
  readonly ambiguous: number;
  readonly ambiguousLines: readonly number[];
  /** Placements that it does not determine, by cause. */
  readonly undetermined: Readonly<Record<string, number>>;
  readonly fromPools: number;
  /** Events that the recorder lost, lines of other tracers, and lines that are cut off or make no sense. */
  readonly lostEvents: number;
  readonly otherLines: number;
  readonly damagedLines: number;
  /** Rows that cannot be and files that cannot be read: their number, and the first of them. */
  readonly damage: { readonly count: number; readonly first: readonly Damage[] };
  readonly failingRequests: Tally;
  readonly percpu: Tally;
  /** Waiting pages after each free. Not compared with several processors, which count at the same time. */
  readonly lazyPages: Tally;
  /** The limit of waiting pages at each free. */
  readonly lazyMaxPages: Tally;
  readonly purges: Tally;
  /** Purges whose recorded flush covers all ranges that waited here. */
  readonly flushes: Tally;
  readonly snapshots: readonly SnapshotResult[];
  /** Snapshots that the stream names but that have no file. */
  readonly missingSnapshots: readonly string[];
  /** Areas from before the first row; `null` when the state at the start is missing, so that they are unknown. */
  readonly earlyAreas: number | null;
  readonly endState: EndState | null;
  /** The same stream on other formats. */
  readonly formats: readonly OverFormat[];
  /** The first placement, failing request or per-cpu chunk that differs, as text. */
  readonly firstDifference: readonly string[];
}
