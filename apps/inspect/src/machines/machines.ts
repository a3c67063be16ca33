import type { PageTableFormat } from '@vmarea/core';
import type { Formats, Vmcoreinfo } from '@vmarea/image';
import { ARM64 } from './arm64.js';
import type { KernelLayout, Machine } from './machine.js';
import { region, TOP } from './region.js';
import { RISCV64 } from './riscv64.js';
import { X86_64 } from './x86-64.js';

/** The machines whose tables can be read. */
export const MACHINES: readonly Machine[] = [X86_64, ARM64, RISCV64];

/**
 * The formats for `findRoots`: those of all machines.
 *
 * @example
 * ```ts
 * const found = findRoots(image, { formats: FORMATS });
 * ```
 */
export const FORMATS: Formats = Object.freeze(Object.assign({}, ...MACHINES.map(({ formats }) => formats)));

/** The machine of an ELF number; `null` for any other. */
export function machineOf(number: number | null): Machine | null {
  return MACHINES.find((machine) => machine.number === number) ?? null;
}

/** The machine of a format, by its name; `null` for a format of somebody else. */
export function machineOfFormat({ name }: { readonly name: string }): Machine | null {
  return MACHINES.find((machine) => name === machine.name || name.startsWith(`${machine.name}-`)) ?? null;
}

/**
 * The named ranges of a kernel's addresses: direct map, vmalloc, vmemmap, modules, kernel text, fixmap, user.
 *
 * @param format - of the tables.
 * @param info - what the kernel says of itself. Without it, the usual ranges are assumed, and `assumed` says so.
 * @example
 * ```ts
 * const { regions } = kernelLayout(best.table.format, found.vmcoreinfo[0] ?? null);
 * ```
 */
export function kernelLayout(format: PageTableFormat, info: Vmcoreinfo | null): KernelLayout {
  const layout = machineOfFormat(format)?.regions(format, info);
  if (layout !== undefined) return layout;
  return {
    regions: [region('user', 0n, 1n << 63n), region('kernel', 1n << 63n, TOP)],
    assumed: `nobody knows the map of ${format.name}`,
  };
}
