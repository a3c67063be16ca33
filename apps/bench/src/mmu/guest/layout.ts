/*
 * The protocol of host and guest: the layout of the guest's memory, and the numbers of the accesses. The stubs in stubs/ use the same
 * numbers. All words have 64 bits and are little-endian.
 */

/** Offsets from the stub's first byte. */
export const STUB = {
  /** Doorbell, done, jobs, value of the first store; then the registers. */
  mailbox: 0x10000,
  /** An address and a mask of accesses for each job. */
  jobs: 0x20000,
  /** Four words for each access of each job. */
  results: 0x40000,
  /** Room for the host's own tables. */
  tables: 0x180000,
  /** The end of the stub's memory. */
  end: 0x400000,
} as const;

/** The offsets of the mailbox's members. */
export const MAILBOX = { doorbell: 0, done: 8, jobs: 16, store: 24, registers: 32 } as const;

/** The most jobs of a batch. */
export const MAX_JOBS = 2048;

/**
 * The accesses, by number. The last four are probes: they ask the processor for a translation (arm64's AT).
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

/** An access of a guest. */
export type GuestAccess = (typeof ACCESSES)[number];

/** 64-bit words of a result. */
export const RESULT_WORDS = 4;

/** The bits of real accesses and of probes in a job's mask. */
export const REAL_ACCESSES = 0b111111;
export const PROBES = 0b1111 << 6;

/** The accesses that write, probed or not. */
export const WRITES = ACCESSES.reduce((mask, { kind }, i) => (kind === 'write' ? mask | (1 << i) : mask), 0);

/**
 * A unit is 64 bytes at a multiple of 64. It has code that loads the unit's number into a register and traps, then an address to load,
 * then room for a store by the kernel and one by the user. Code and address depend only on the physical address, so executing or
 * loading them proves which memory was reached.
 */
export const UNIT = { bytes: 64, loaded: 16, kernelStored: 24, userStored: 32 } as const;

/** The offset of an access in its unit. */
export function offsetInUnit({ kind, user, isProbe }: GuestAccess): bigint {
  if (isProbe || kind === 'execute') return 0n;
  if (kind === 'read') return BigInt(UNIT.loaded);
  return BigInt(user ? UNIT.userStored : UNIT.kernelStored);
}

/** The address of the unit that contains an address. */
export function unitOf(address: bigint): bigint {
  return address & ~BigInt(UNIT.bytes - 1);
}

/** The low 32 bits of a unit's number. */
export function unitNumber(pa: bigint): number {
  return Number(BigInt.asUintN(32, pa / BigInt(UNIT.bytes)));
}
