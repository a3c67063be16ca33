import type { Random } from '@vmarea/compare';
import {
  type MemoryType,
  type PageTableFormat,
  type Protection,
  protection,
  toBigint,
  VmError,
} from '@vmarea/core';
import type { MachineRam } from '../target.js';

/** True with a probability of `percent`. */
export function chance(random: Random, percent: number): boolean {
  return random.next(100) < percent;
}

/** A random element of a list. */
export function oneOf<T>(random: Random, list: readonly T[]): T {
  return list[random.next(list.length)] as T;
}

/** 64 random bits. */
export function bits64(random: Random): bigint {
  return (BigInt(random.next(2 ** 32)) << 32n) | BigInt(random.next(2 ** 32));
}

/** A random number below a limit. */
export function below(random: Random, limit: bigint): bigint {
  return limit <= 1n ? 0n : bits64(random) % limit;
}

/** A random protection. The format may not support it. */
export function anyProtection(format: PageTableFormat, random: Random): Protection {
  const has = (percent: number): boolean => chance(random, percent);
  return protection({
    ...{ read: has(92), write: has(60), execute: has(50), user: has(50), global: has(30) },
    ...{ accessed: has(85), dirty: has(60) },
    memory: has(80) ? 'normal' : oneOf<MemoryType>(random, format.memoryTypes),
  });
}

/** The bits of a leaf with a random protection that the format supports. */
export function anyLeaf(format: PageTableFormat, level: number, random: Random): bigint {
  for (;;) {
    try {
      return toBigint(format.encode(anyProtection(format, random), level));
    } catch (error) {
      if (!(error instanceof VmError)) throw error;
    }
  }
}

/** A physical address for a leaf, aligned to its size: mostly in memory, sometimes anywhere. */
export function anyFrame(format: PageTableFormat, ram: MachineRam, shift: number, random: Random): bigint {
  const size = 1n << BigInt(shift);
  const [from, to] = ram.frames;
  const first = (from + size - 1n) / size;
  const count = to / size - first;
  if (count < 1n || chance(random, 10)) return (below(random, 1n << BigInt(format.paBits)) / size) * size;
  return (first + below(random, count)) * size;
}
