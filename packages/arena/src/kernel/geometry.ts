/** Bytes that 32 bits address: the most that an arena has (SZ_4G). */
export const SPAN_BYTES: number = 2 ** 32;
/** Bytes that the signed 16-bit displacement of a BPF instruction reaches, both ways together. */
const REACH = 2 ** 16;

/** Where the parts of an arena's window lie, for a page size (`kernel/bpf/arena.c`: GUARD_SZ, KERN_VM_SZ). */
export interface Geometry {
  readonly pageShift: number;
  readonly pageBytes: number;
  /** Bytes of both guards together. */
  readonly guardBytes: number;
  /** Bytes of the window: 4 GiB and the guards. The guard page of vmalloc comes on top. */
  readonly windowBytes: number;
  /** Pages of one guard: the page of the window at which address 0 lies. */
  readonly guardPages: number;
  /** Pages that one batch of a request has (KMALLOC_MAX_CACHE_SIZE / sizeof(struct page *)). */
  readonly batchPages: number;
}

/** @param pageShift - log2 of the bytes of a page: 12, 14, 16. */
export function geometryOf(pageShift: number): Geometry {
  const pageBytes = 2 ** pageShift;
  const guardBytes = Math.ceil(REACH / (2 * pageBytes)) * 2 * pageBytes;
  return {
    pageShift,
    pageBytes,
    guardBytes,
    windowBytes: SPAN_BYTES + guardBytes,
    guardPages: guardBytes / 2 / pageBytes,
    // Two pages of pointers of 8 bytes.
    batchPages: (2 * pageBytes) / 8,
  };
}
