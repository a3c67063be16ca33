/** Kinds by which Linux marks an area, in the words of /proc/vmallocinfo. */
export type AreaWord = 'ioremap' | 'sparse' | 'vmalloc' | 'vmap' | 'user' | 'dma-coherent';

/** What is known of an area beside its place: what /proc/vmallocinfo tells. */
export interface AreaInfo {
  /** Who asked for it, as `%pS` prints it: `kernel_clone+0xc2/0x430`, `zcomp_cpu_up_prepare+0x66/0xa0 [zram]`. */
  readonly caller?: string;
  /** Number of pages that it owns. */
  readonly pages?: number;
  /** Physical address in bytes, where it shows one range. */
  readonly phys?: bigint;
  /** Its kinds. */
  readonly words?: readonly AreaWord[];
  /** The array of its pages is a vmalloc area itself. */
  readonly vpages?: boolean;
  /** Pages by memory node, in the order of nodes. */
  readonly nodes?: readonly { readonly node: number; readonly pages: number }[];
  /** A range of `vm_map_ram`, or a block that it hands out: it has no description. */
  readonly isRam?: boolean;
}

/** A reserved range of addresses. Only the `VmapAreas` that made it can free it. */
export interface Area {
  /** First byte. */
  readonly address: bigint;
  /** Usable bytes, without the guard. */
  readonly bytes: bigint;
  /** Bytes after the usable ones that are reserved too and never mapped. */
  readonly guardBytes: number;
  /** What is known of it. */
  readonly info: AreaInfo;
}
