import type { Access } from '@vmarea/core';

/** Arm ARM, D8.4, the table "Determination of stage 1 Overlay permissions". */
export const OVERLAY: readonly string[] = [
  ...['', 'R', 'X', 'RX', 'W', 'RW', 'WX', 'RWX'],
  // Reserved, treated as 0b0000.
  ...['', '', '', '', '', '', '', ''],
];

/** A permission, as the manual's tables name it. */
export type Letter = 'R' | 'W' | 'X';

/** The permission that an access needs. */
export function letterOf({ kind }: Access): Letter {
  return ({ read: 'R', write: 'W', execute: 'X' } as const)[kind];
}

export const accesses: readonly Access[] = (['read', 'write', 'execute'] as const).flatMap((kind) => [
  { kind, user: false },
  { kind, user: true },
]);
