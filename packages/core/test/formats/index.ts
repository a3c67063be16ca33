import type { PageTableFormat } from '@vmarea/core';
import { type Arm64Shape, arm64 } from './arm64.js';
import { riscv64 } from './riscv64.js';
import { x86 } from './x86.js';

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

/**
 * What a test without the format objects must know of a format: the parameters of the architecture.
 *
 * `vaBits` and `depth` say the same where each level has 9 bits (riscv64, x86-64), unless the root is wider.
 */
export interface FormatShape {
  readonly architecture: 'arm64' | 'riscv64' | 'x86-64';
  /** Base page in KiB. */
  readonly granule: 4 | 16 | 64;
  /** Bits of an address that the tables translate. */
  readonly vaBits: number;
  /** Output addresses of 52 bits (LPA, LPA2); x86-64 without has 46. */
  readonly large: boolean;
  /** Levels, the root included. */
  readonly depth: number;
  /** What the bits above `vaBits` are. */
  readonly upper: 'zeros' | 'ones' | 'sign';
}

/** A format, and what it is made from. */
export interface ShapedFormat {
  readonly format: PageTableFormat;
  readonly shape: FormatShape;
}

function shapedArm64(options: Arm64Shape): ShapedFormat {
  const { granule, vaBits, large = false, half = 'ttbr1' } = options;
  const bitsPerLevel = { 4: 9, 16: 11, 64: 13 }[granule];
  const depth = Math.ceil((vaBits - bitsPerLevel - 3) / bitsPerLevel);
  const upper = half === 'ttbr0' ? 'zeros' : 'ones';
  return {
    format: arm64(options),
    shape: { architecture: 'arm64', granule, vaBits, large, depth, upper },
  };
}

function shapedRiscv64(depth: 3 | 4 | 5): ShapedFormat {
  return {
    format: riscv64(depth),
    shape: {
      architecture: 'riscv64',
      granule: 4,
      vaBits: 12 + 9 * depth,
      large: false,
      depth,
      upper: 'sign',
    },
  };
}

function shapedX86(depth: 4 | 5, large: boolean): ShapedFormat {
  return {
    format: x86(depth, large ? 52 : 46),
    shape: { architecture: 'x86-64', granule: 4, vaBits: 12 + 9 * depth, large, depth, upper: 'sign' },
  };
}

/** Every shape that the contract must hold: granules, depths 1 to 5, small roots, 52-bit addresses, both halves, a root of several frames. */
export const shapedFormats: readonly ShapedFormat[] = [
  shapedArm64({ granule: 4, vaBits: 48 }),
  shapedArm64({ granule: 4, vaBits: 39, half: 'ttbr0' }),
  shapedArm64({ granule: 4, vaBits: 52, large: true }),
  shapedArm64({ granule: 4, vaBits: 16, half: 'ttbr0' }),
  shapedArm64({ granule: 4, vaBits: 25 }),
  shapedArm64({ granule: 16, vaBits: 47 }),
  shapedArm64({ granule: 16, vaBits: 36, half: 'ttbr0' }),
  shapedArm64({ granule: 16, vaBits: 48 }),
  shapedArm64({ granule: 16, vaBits: 52, large: true }),
  shapedArm64({ granule: 64, vaBits: 42 }),
  shapedArm64({ granule: 64, vaBits: 48, half: 'ttbr0' }),
  shapedArm64({ granule: 64, vaBits: 52, large: true }),
  shapedRiscv64(3),
  shapedRiscv64(4),
  shapedRiscv64(5),
  {
    format: wideRoot(),
    shape: { ...shapedRiscv64(3).shape, vaBits: 43, upper: 'zeros' },
  },
  shapedX86(4, true),
  shapedX86(5, false),
];

/** The formats alone. */
export const formats: readonly PageTableFormat[] = shapedFormats.map(({ format }) => format);
