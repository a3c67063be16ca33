import { type Access, completeControls, type PageTableReader, type PhysicalMemory } from '@vmarea/core';
import { describeWalk, type Region } from '@vmarea/inspect';
import type { Verdict, WalkView } from './calls.js';
import { accessOf } from './processor.js';

/** All accesses: by the kernel, then by user mode. */
export const ACCESSES: readonly Access[] = [false, true].flatMap((user) =>
  (['read', 'write', 'execute'] as const).map((kind) => ({ kind, user })),
);

/** All that is known of an address: entries, rights, faults, and what a processor's access does. */
export function viewWalk(
  memory: PhysicalMemory,
  table: PageTableReader,
  va: bigint,
  { regions, access, controls }: { regions: readonly Region[]; access: Access; controls: object },
): WalkView {
  const { format } = table;
  const all = completeControls(format.controls, controls, format.name);
  const row = describeWalk({ table, controls }, va, regions, access);
  const walk = table.walk(va, access, controls);
  const tables = walk.steps.map(({ level, table: pa, index }) => ({ level, pa, index }));
  const verdicts = ACCESSES.map((one): Verdict => {
    const { fault } = table.walk(va, one, controls);
    const level = format.levels[fault?.level ?? 0]?.name ?? '';
    return { access: one, fault: fault === null ? null : { ...fault, level } };
  });
  return {
    row: { ...row, fault: withName(walk.fault, (level) => format.levels[level]?.name ?? String(level)) },
    tables,
    permissions: walk.permissions,
    verdicts,
    processor: accessOf(memory, table, tables, va, access, all),
  };
}

function withName<F extends { readonly level: number }>(
  fault: F | null,
  nameOf: (level: number) => string,
): (Omit<F, 'level'> & { readonly level: string }) | null {
  return fault === null ? null : { ...fault, level: nameOf(fault.level) };
}
