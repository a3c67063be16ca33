import type { Difference } from './differences.js';
import type { Tally } from './tally.js';
import type { Damage } from './trace.js';

/** What a replay has compared. */
export class Counts {
  readonly placements: Tally = { equal: 0, different: 0 };
  readonly failures: Tally = { equal: 0, different: 0 };
  readonly percpu: Tally = { equal: 0, different: 0 };
  readonly lazyPages: Tally = { equal: 0, different: 0 };
  /** The limit of waiting pages. */
  readonly lazyMaxPages: Tally = { equal: 0, different: 0 };
  readonly purges: Tally = { equal: 0, different: 0 };
  /** Equal for purges whose flush covers all that waited. */
  readonly flushes: Tally = { equal: 0, different: 0 };
  /** The first answer to a request or for per-cpu chunks that differs. */
  first: Difference | null = null;
  /** Lines of placements that only the other choice explains, where the recording does not tell which was made. */
  readonly ambiguous: number[] = [];
  /** Ambiguous placements that are also unordered. */
  ambiguousUnordered = 0;
  /** Other ambiguous placements, where the shape of the free tree is not known. */
  ambiguousShape = 0;
  /** Ordered placements with an alignment above a page. Their addresses depend on all free ranges. */
  readonly aligned: Tally = { equal: 0, different: 0 };
  /** Rows that cannot be, and rows that show that others are lost. */
  readonly damage: Damage[] = [];
  /** Placements without a lock row since a second processor acted. They are in the order of rows. */
  unordered = 0;
  /** Placements that came from a pool. */
  fromPools = 0;
}
