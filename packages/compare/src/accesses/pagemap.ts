/** Pages of a process that follow each other, and so do their frames. */
export interface PagemapRange {
  /** The line that names its first page. */
  readonly line: number;
  /** First address and first physical address, in bytes. */
  readonly va: bigint;
  readonly pa: bigint;
  readonly bytes: bigint;
}

/** Which physical pages a process has. */
export interface Pagemap {
  /** What messages call it. */
  readonly file: string;
  readonly pageBytes: number;
  /** Ascending; none overlaps another. */
  readonly ranges: readonly PagemapRange[];
}
