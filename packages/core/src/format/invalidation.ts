/**
 * One instruction (or register write) with which software tells a processor to forget translations, as data.
 *
 * It says what the processor *must* forget. It may always forget more.
 */
export interface Invalidation {
  /** The manual's name: `INVLPG`, `TLBI VAE1`, `SFENCE.VMA va, asid`. */
  readonly name: string;
  /** Which addresses: those of one page, of a range that is given, or all. A leaf larger than a page goes whole. */
  readonly addresses: 'page' | 'range' | 'all';
  /**
   * Which address spaces: the one that is given, the current one, or all. It decides for translations that are not
   * global.
   */
  readonly asids: 'given' | 'current' | 'all';
  /** Whether global translations of these addresses go as well. */
  readonly globals: boolean;
  /**
   * Which entries of walk caches (tables that a walk went through) go: none, those on the way to the addresses, or all of
   * the address spaces named by `asids`.
   */
  readonly tables: 'none' | 'addresses' | 'all';
  /** Whether it reaches every processor, as TLBI …IS does, or only the one that executes it. */
  readonly broadcast: boolean;
}
