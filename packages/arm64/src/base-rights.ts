/**
 * What one side may do with a page before overlays: Arm's stage 1 base permissions.
 *
 * Source: Arm ARM, D8.4, "Stage 1 Base permissions".
 */
export interface SideRights {
  readonly read: boolean;
  readonly write: boolean;
  /** Before `wxn`. */
  readonly execute: boolean;
  /** PrivWXN or UnprivWXN: the page allows writes and fetches, and may not allow both. */
  readonly wxn: boolean;
  /** The side's overlay applies, if it is on. */
  readonly overlaid: boolean;
}

/** The base permissions of both sides, after PAN. */
export interface BaseRights {
  readonly kernel: SideRights;
  readonly user: SideRights;
}
