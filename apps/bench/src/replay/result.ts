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
  /** Rows, and how many a second were replayed. */
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
  /** Events that the recorder lost, and lines of others that were passed over. */
  readonly lostEvents: number;
  readonly otherLines: number;
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
  readonly endState: EndState | null;
  /** The same stream on other formats. */
  readonly formats: readonly OverFormat[];
  /** The first placement that differs, for people. */
  readonly firstDifference: readonly string[];
}
