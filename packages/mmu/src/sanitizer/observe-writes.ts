import type { PhysicalMemory } from '@vmarea/core';

/**
 * Calls back before every later `write32` and `write64` of a memory, and after it with what the first call
 * returned. The memory gets methods of its own, so memories that nobody observes pay nothing.
 *
 * @returns ends it.
 */
export function observeWrites(memory: PhysicalMemory, before: (pa: bigint) => () => void): () => void {
  let isOn = true;
  const { write32, write64 } = memory;
  const own = {
    write32: (pa: bigint, value: number): void => {
      const after = isOn ? before(pa) : undefined;
      write32.call(memory, pa, value);
      after?.();
    },
    write64: (pa: bigint, value: bigint): void => {
      const after = isOn ? before(pa) : undefined;
      write64.call(memory, pa, value);
      after?.();
    },
  };
  Object.assign(memory, own);
  return () => {
    isOn = false;
    if (memory.write32 === own.write32) Object.assign(memory, { write32 });
    if (memory.write64 === own.write64) Object.assign(memory, { write64 });
  };
}
