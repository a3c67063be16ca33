import type { Arena } from '@vmarea/arena';
import { check, type FrameAllocator, PageReferences, type Process, type Threads } from '@vmarea/core';

/** What is looked at: a machine whose pages belong to one arena and to processes that only map it. */
export interface Accounted {
  readonly arena: Arena;
  readonly processes: readonly Process[];
  /** Where pages come from. */
  readonly frames: FrameAllocator;
  readonly threads: Threads;
}

/**
 * Looks at everything while no thread is in a call: all parts agree, every page has a reference for each of its users, and no frame is lost.
 *
 * @throws Error that says what is wrong.
 */
export function account({ arena, processes, frames, threads }: Accounted): void {
  const { findings } = check(threads);
  if (findings.length > 0) throw new Error(findings.map(({ text }) => text).join('\n'));
  const references = PageReferences.of(frames);
  const users = usersOf(arena, processes);
  let counted = 0;
  for (let pfn = frames.first; pfn < frames.first + frames.frames; pfn++) {
    const count = references.count(pfn);
    if (count > 0) counted++;
    if (users.has(pfn) ? count !== users.get(pfn) : count > 1)
      throw new Error(`frame ${pfn} has ${count} references and ${users.get(pfn) ?? 0} users`);
    const isAllocated = frames.isAllocated(pfn) && frames.calls?.isBeingFreed(pfn) !== true;
    if (isAllocated !== count > 0)
      throw new Error(`frame ${pfn} is ${isAllocated ? 'allocated' : 'free'}, with ${count} references`);
  }
  // The zero page of processes has a reference and no user. So has the scratch page, unless kernel code has used it.
  const spare = (processes.length > 0 ? 1 : 0) + (isScratchMapped(arena) ? 0 : 1);
  if (counted !== users.size + spare)
    throw new Error(`${counted} frames have references, ${users.size} have users`);
}

/** True when more entries of the window are used than the arena counts pages. */
function isScratchMapped(arena: Arena): boolean {
  const { table } = arena.kernel;
  const shift = BigInt(table.format.pageShift);
  let entries = 0;
  for (let slot = 0n; slot < BigInt(arena.maxEntries); slot++) {
    const address = arena.userVmStart + (slot << shift);
    if (table.translate(arena.kernVmStart + BigInt.asUintN(32, address)) !== null) entries++;
  }
  return BigInt(entries) > arena.memUsage() >> shift;
}

/** How often each frame is mapped, in the window and for users. */
function usersOf(arena: Arena, processes: readonly Process[]): Map<number, number> {
  const { table } = arena.kernel;
  const shift = BigInt(table.format.pageShift);
  const users = new Map<number, number>();
  const note = (pa: bigint | null): void => {
    if (pa !== null) users.set(Number(pa >> shift), (users.get(Number(pa >> shift)) ?? 0) + 1);
  };
  for (let slot = 0; slot < arena.maxEntries; slot++) {
    const address = arena.userVmStart + (BigInt(slot) << shift);
    note(table.translate(arena.kernVmStart + BigInt.asUintN(32, address)));
    for (const process of processes) note(process.table.translate(address));
  }
  return users;
}
