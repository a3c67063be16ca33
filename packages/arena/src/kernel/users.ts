/** The processes that map an arena, as its kernel side sees them. */
export interface Users {
  /** Number of regions that map the arena. */
  readonly regions: number;
  /** Removes pages from every process that maps them. */
  zap(slot: number, pages: number): void;
  /** True when a process maps a frame of the arena. */
  maps(pfn: number): boolean;
}
