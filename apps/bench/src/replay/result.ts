import type { EndState } from './end-state.js';
import type { OverFormat } from './over-format.js';
import type { PhotographResult } from './photograph.js';
import type { Tally } from './replayer.js';

/** What a replay found. */
export interface ReplayResult {
  readonly command: 'replay';
  readonly schema: 1;
  readonly set: string;
  readonly pageBytes: number;
  readonly cpus: number;
  /**
   * What the kernel did: requests, frees, purges and per-cpu chunks, and how many a second were replayed. Rows that tell steps of these, or
   * the order of locks, are not counted.
   */
  readonly events: number;
  readonly eventsPerSecond: number;
  /** Successful requests: all of them are placements. */
  readonly placements: number;
  /** Placements whose order the recording tells. */
  readonly determined: number;
  readonly equal: number;
  readonly different: number;
  /** Placements whose order it does not tell, by cause. */
  readonly undetermined: Readonly<Record<string, number>>;
  readonly fromPools: number;
  /** Events that the recorder lost, lines of others that were passed over, and lines of events that are cut off or make no sense. */
  readonly lostEvents: number;
  readonly otherLines: number;
  readonly damagedLines: number;
  readonly failingRequests: Tally;
  readonly percpu: Tally;
  /** Pages that wait, after each free; none with several processors, who count at once. */
  readonly lazyPages: Tally;
  /** How many pages may wait, at each free. */
  readonly lazyMaxPages: Tally;
  readonly purges: Tally;
  /** Purges whose recorded flush holds all that waited here. */
  readonly flushes: Tally;
  readonly photographs: readonly PhotographResult[];
  /** Names of photographs that rows tell of and that are not there. */
  readonly missingPhotographs: readonly string[];
  readonly endState: EndState | null;
  /** The same stream on other formats. */
  readonly formats: readonly OverFormat[];
  /** The first placement, failing request or per-cpu chunk that differs, for people. */
  readonly firstDifference: readonly string[];
}
