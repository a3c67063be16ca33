import { BPF_F_NO_USER_CONV } from '../flags.js';
import type { ArenaCore } from './core.js';

/** Low 32 bits of an address. */
export function lowOf(address: bigint): number {
  return Number(address & 0xffffffffn);
}

/** Bits 63 to 32 of an address. */
export function highOf(address: bigint): number {
  return Number(address >> 32n);
}

/**
 * What a pointer is for user space: the low half, and above it the upper half of the arena's addresses; 0n for a low half
 * of 0 (the JIT's address-space cast).
 */
export function castToUser(core: ArenaCore, address: bigint): bigint {
  const low = lowOf(address);
  return low === 0 || (core.flags & BPF_F_NO_USER_CONV) !== 0 ? BigInt(low) : core.userAt(low);
}

/**
 * What a function of the kernel gets for an argument that is an arena pointer.
 *
 * @param isNullable - a low half of 0 arrives as 0n, whatever is above it.
 */
export function castForKernel(core: ArenaCore, address: bigint, isNullable: boolean): bigint {
  const low = lowOf(address);
  return isNullable && low === 0 ? 0n : core.window.start + BigInt(low);
}
