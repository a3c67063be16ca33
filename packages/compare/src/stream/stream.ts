/** A request for an area and its result, as alloc_vmap_area makes them. */
export interface Allocation {
  readonly type: 'allocation';
  /** The recorded first page; `null` when the request failed. */
  readonly start: number | null;
  /** Pages, guard included. */
  readonly size: number;
  readonly align: number;
  /** The number of the window. */
  readonly window: number;
}

/** An area is freed: free_vmap_area_noflush. */
export interface Release {
  readonly type: 'free';
  /** Its first page. */
  readonly start: number;
}

/** The requests and frees that a kernel made, in their order. */
export interface AreaStream {
  /** log2 of the kernel's page size in bytes. */
  readonly pageShift: number;
  /** Nodes of Linux's allocator: one for each possible processor, 128 at most. */
  readonly nodes: number;
  /** Processors that are online. */
  readonly cpus: number;
  /** What happened. Events of other types than `Allocation` and `Release` are passed over. */
  readonly rows: readonly {
    readonly cpu: number;
    readonly thread: string;
    readonly event: Allocation | Release | { readonly type: string };
  }[];
}
