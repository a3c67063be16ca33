/** An access to an arena page that is not there. */
export interface ArenaReport {
  /** The line that Linux writes to the standard error stream of the program (since 6.18). */
  readonly text: string;
  /** The address as a user address. */
  readonly address: bigint;
  readonly access: 'READ' | 'WRITE';
}

/** @param address - as a user address. */
export function reportOf(address: bigint, isWrite: boolean): ArenaReport {
  const access = isWrite ? 'WRITE' : 'READ';
  const shown = BigInt.asUintN(64, address);
  const text = `ERROR: Arena ${access} access at unmapped address 0x${shown.toString(16)}`;
  return { text, address: shown, access };
}
