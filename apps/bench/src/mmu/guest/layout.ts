/*
 * What host and guest agree on: where things stand in the guest's memory, and the numbers of the accesses. The stubs in stubs/ use the
 * same numbers. All words are 64 bits, little-endian.
 */

/** Offsets from the stub's first byte. */
export const STUB = {
  /** Doorbell, done, jobs, value of the first store; then the registers. */
  mailbox: 0x10000,
  /** An address and a mask of accesses for each job. */
  jobs: 0x20000,
  /** Four words for each access of each job. */
  results: 0x40000,
  /** Where the host may put tables of its own. */
  tables: 0x180000,
  /** End of all that is the stub's. */
  end: 0x400000,
} as const;

/** Bytes from the mailbox to its members. */
export const MAILBOX = { doorbell: 0, done: 8, jobs: 16, store: 24, registers: 32 } as const;

/** Jobs of one batch at most. */
export const MAX_JOBS = 2048;

/**
 * The accesses, by number. The last four ask the processor for a translation instead of making an access (arm64's AT).
 */
export const ACCESSES = [
  { name: 'kernel read', kind: 'read', user: false, isProbe: false },
  { name: 'kernel write', kind: 'write', user: false, isProbe: false },
  { name: 'kernel execute', kind: 'execute', user: false, isProbe: false },
  { name: 'user read', kind: 'read', user: true, isProbe: false },
  { name: 'user write', kind: 'write', user: true, isProbe: false },
  { name: 'user execute', kind: 'execute', user: true, isProbe: false },
  { name: 'kernel read, probed', kind: 'read', user: false, isProbe: true },
  { name: 'kernel write, probed', kind: 'write', user: false, isProbe: true },
  { name: 'user read, probed', kind: 'read', user: true, isProbe: true },
  { name: 'user write, probed', kind: 'write', user: true, isProbe: true },
] as const;

/** One access that a guest makes. */
export type GuestAccess = (typeof ACCESSES)[number];

/** 64-bit words of a result. */
export const RESULT_WORDS = 4;

/** Bits of a job's mask: all accesses but probes, and the probes. */
export const REAL_ACCESSES = 0b111111;
export const PROBES = 0b1111 << 6;

/** The accesses that write, probed or not. */
export const WRITES = ACCESSES.reduce((mask, { kind }, i) => (kind === 'write' ? mask | (1 << i) : mask), 0);

/**
 * A unit is 64 bytes at a multiple of 64: code that puts the unit's number in a register and traps, then the address of what is
 * loaded, then room for a store by the kernel and for one by the user, so that neither hides the other. What is there is a function
 * of the physical address alone, so reading or running it proves which memory was reached.
 */
export const UNIT = { bytes: 64, loaded: 16, kernelStored: 24, userStored: 32 } as const;

/** Where an access of a unit goes, in bytes from its start. */
export function offsetInUnit({ kind, user, isProbe }: GuestAccess): bigint {
  if (isProbe || kind === 'execute') return 0n;
  if (kind === 'read') return BigInt(UNIT.loaded);
  return BigInt(user ? UNIT.userStored : UNIT.kernelStored);
}

/** First byte of the unit of an address. */
export function unitOf(address: bigint): bigint {
  return address & ~BigInt(UNIT.bytes - 1);
}

/** The number of a unit, as far as 32 bits say it. */
export function unitNumber(pa: bigint): number {
  return Number(BigInt.asUintN(32, pa / BigInt(UNIT.bytes)));
}
