import { VmError } from '@vmarea/core';
import type { AtomicOperation } from '@vmarea/mmu';
import type { ArenaView } from './view.js';

/** Sizes of a value. */
export type AccessBytes = 1 | 2 | 4 | 8;

/** @throws VmError `EINVAL` for another size. */
export function checkedBytes(bytes: AccessBytes): AccessBytes {
  if (bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8) return bytes;
  throw new VmError('EINVAL', `bytes is ${String(bytes)}, expected 1, 2, 4 or 8`);
}

/** Loads a value, unsigned. */
export function load(view: ArenaView, low: number, bytes: AccessBytes): bigint {
  if (bytes === 1) return BigInt(view.load8(low));
  if (bytes === 2) return BigInt(view.load16(low));
  if (bytes === 4) return BigInt(view.loadSigned32(low) >>> 0);
  const lower = view.load64Words(low);
  return (BigInt(view.high >>> 0) << 32n) | BigInt(lower >>> 0);
}

/** Stores the low bits of a value. */
export function store(view: ArenaView, low: number, bytes: AccessBytes, value: bigint): void {
  const lower = Number(BigInt.asIntN(32, value));
  if (bytes === 1) view.store8(low, 0, lower);
  else if (bytes === 2) view.store16(low, 0, lower);
  else if (bytes === 4) view.store32(low, 0, lower);
  else view.store64Words(low, 0, Number(BigInt.asIntN(32, value >> 32n)), lower);
}

/** Replaces a value by what an operation makes of it. */
export function exchange(
  view: ArenaView,
  operation: AtomicOperation,
  low: number,
  bytes: 4 | 8,
  operand: bigint,
): bigint {
  return isWide(bytes)
    ? view.atomic64(operation, low, 0, BigInt.asUintN(64, operand))
    : BigInt(view.atomic32(operation, low, 0, Number(BigInt.asIntN(32, operand))) >>> 0);
}

/** Stores a value if the old one is the expected one. */
export function compareExchange(
  view: ArenaView,
  low: number,
  bytes: 4 | 8,
  expected: bigint,
  value: bigint,
): bigint {
  if (isWide(bytes))
    return view.compareExchange64(low, 0, BigInt.asUintN(64, expected), BigInt.asUintN(64, value));
  const [from, to] = [Number(BigInt.asIntN(32, expected)), Number(BigInt.asIntN(32, value))];
  return BigInt(view.compareExchange32(low, 0, from, to) >>> 0);
}

function isWide(bytes: 4 | 8): boolean {
  if (bytes === 4 || bytes === 8) return bytes === 8;
  throw new VmError('EINVAL', `bytes is ${String(bytes)}, expected 4 or 8`);
}
