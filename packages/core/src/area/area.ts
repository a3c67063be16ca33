/** Kinds of areas, in the words of /proc/vmallocinfo. */
export type AreaWord = 'ioremap' | 'sparse' | 'vmalloc' | 'vmap' | 'user' | 'dma-coherent';

/** What is known of an area besides its place: what /proc/vmallocinfo shows. */
export interface AreaInfo {
  /**
   * Who asked for it, as `%pS` prints it: `kernel_clone+0xc2/0x430`,
   * `zcomp_cpu_up_prepare+0x66/0xa0 [zram]`. Other spaces, `=` and control characters are `EINVAL`: they
   * would make other words of a line of /proc/vmallocinfo.
   */
  readonly caller?: string;
  /** Number of pages that it owns. */
  readonly pages?: number;
  /** Physical address in bytes, when it maps one range. */
  readonly phys?: bigint;
  /** Its kinds. */
  readonly words?: readonly AreaWord[];
  /** True when the array of its pages is itself a vmalloc area. */
  readonly vpages?: boolean;
  /** Pages by memory node, in node order. */
  readonly nodes?: readonly { readonly node: number; readonly pages: number }[];
  /** True for a range of `vm_map_ram`, or a block that it is cut from. It has no description. */
  readonly isRam?: boolean;
}

/** A reserved range of addresses. Only the `VmapAreas` that made it can free it. */
export interface Area {
  /** First byte. */
  readonly address: bigint;
  /** Usable bytes, without the guard. */
  readonly bytes: bigint;
  /** Bytes after the usable ones. They are reserved too, and never mapped. */
  readonly guardBytes: number;
  /** What is known of it. */
  readonly info: AreaInfo;
}
