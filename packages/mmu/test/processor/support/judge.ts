import {
  type Access,
  type Controls,
  PageTableReader,
  type PhysicalMemory,
  toBigint,
  words,
} from '@vmarea/core';
import type { Accessed } from '@vmarea/mmu';

/**
 * What an access must come to: `PageTableReader.walk` judges it, and the format's `touch` sets the bits of the entries that it read,
 * in this memory.
 */
export function judge(
  table: PageTableReader,
  memory: PhysicalMemory,
  va: bigint,
  access: Access,
  controls: Controls,
): Accessed {
  const walk = table.walk(va, access, controls);
  for (const { address, level, kind } of walk.steps) {
    // A table is marked on the way down, a leaf when the access is allowed.
    if (kind !== 'table' && (kind !== 'leaf' || walk.fault !== null)) continue;
    const entry = words(memory.read64(address));
    memory.write64(address, toBigint(table.format.touch(entry, level, kind, access, controls)));
  }
  if (walk.fault !== null) {
    const { kind, level, code } = walk.fault;
    return { pa: null, fault: { kind, level, code } };
  }
  return { pa: walk.pa as bigint, fault: null };
}

/** Opens tables for the judge. */
export function open(
  format: PageTableReader['format'],
  memory: PhysicalMemory,
  root: bigint,
): PageTableReader {
  return new PageTableReader({ format, memory, root });
}
