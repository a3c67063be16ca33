/**
 * Why a walk found no translation, or why an access is refused.
 *
 * - `address`: this root does not translate the address (x86-64 non-canonical, outside TTBR's range).
 * - `not-present`: an entry that the MMU ignores.
 * - `reserved`: an entry with a forbidden encoding.
 * - `address-size`: an entry whose frame exceeds the physical address size, where the architecture tells it
 *   from `reserved` (arm64).
 * - `external`: the entry names a table where the memory has no bytes.
 * - `access-flag`: the accessed (or dirty) bit is clear and hardware does not set it.
 * - `permission`: the translation exists and does not allow the access.
 * - `protection-key`: the same, by x86-64's protection keys.
 */
export type FaultKind =
  | 'address'
  | 'not-present'
  | 'reserved'
  | 'address-size'
  | 'external'
  | 'access-flag'
  | 'permission'
  | 'protection-key';

/** A fault, before the architecture gives it its number. */
export interface Fault {
  /** The reason. */
  readonly kind: FaultKind;
  /**
   * Index into `format.levels` (root is 0) of the entry that faulted. 0 for `address`. For `external`, the
   * level of the table without bytes.
   */
  readonly level: number;
}

/** The number that the architecture reports for a fault. */
export interface FaultCode {
  /** What the number is: `#PF`, `#GP`, `FSC`, `scause`. */
  readonly name: string;
  /** The error code, fault status code or cause. */
  readonly code: number;
}
