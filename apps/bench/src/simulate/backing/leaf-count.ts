/** Leaves of one size. */
export interface LeafCount {
  readonly bytes: number;
  readonly count: number;
}
