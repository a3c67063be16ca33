/** The processes that map an arena, as its kernel side sees them. */
export interface Users {
  /** Number of regions that map the arena. */
  readonly regions: number;
  /** Takes the lock of the regions, for several calls. It comes before the lock of the slots. */
  lock(): void;
  unlock(): void;
  /** Removes pages from every process that maps them. */
  zap(slot: number, pages: number): void;
  /** True when a process maps a frame of the arena. */
  maps(pfn: number): boolean;
  /** How many processes map a frame at a slot. For a recovery. */
  countAt(slot: number, pfn: number): number;
  /** Forgets regions that are gone. For a recovery. */
  mend(): void;
  /** What is wrong with the list of regions, while no thread is in a call. */
  check(): readonly string[];
}
