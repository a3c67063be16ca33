import type { PageTableFormat } from '@vmarea/core';
import { arm64 } from './arm64.js';
import { riscv64 } from './riscv64.js';

/**
 * A root of 8192 entries, 16 adjacent frames. RISC-V's widest root is 4 pages (Sv39x4); LoongArch's and arm64's
 * stage 2 roots reach 16.
 */
export function wideRoot(): PageTableFormat {
  const sv39 = riscv64(3);
  const [root, ...rest] = sv39.levels;
  if (root === undefined) throw new Error('no root');
  return {
    ...sv39,
    name: 'wide-root',
    range: { bits: 43, upper: 'zeros' },
    levels: [{ ...root, bits: 13 }, ...rest],
  };
}

/** Every shape the contract has to carry: granules, depths 1 to 5, small roots, 52-bit addresses, both halves, a root of several frames. */
export const formats: readonly PageTableFormat[] = [
  arm64({ granule: 4, vaBits: 48 }),
  arm64({ granule: 4, vaBits: 39, half: 'ttbr0' }),
  arm64({ granule: 4, vaBits: 52, large: true }),
  arm64({ granule: 4, vaBits: 16, half: 'ttbr0' }),
  arm64({ granule: 4, vaBits: 25 }),
  arm64({ granule: 16, vaBits: 47 }),
  arm64({ granule: 16, vaBits: 36, half: 'ttbr0' }),
  arm64({ granule: 16, vaBits: 48 }),
  arm64({ granule: 16, vaBits: 52, large: true }),
  arm64({ granule: 64, vaBits: 42 }),
  arm64({ granule: 64, vaBits: 48, half: 'ttbr0' }),
  arm64({ granule: 64, vaBits: 52, large: true }),
  riscv64(3),
  riscv64(4),
  riscv64(5),
  wideRoot(),
];
