import type { Configuration } from '@vmarea/core';
import { type Arm64Options, arm64 } from './format.js';
import { arm64Linux } from './linux.js';

/** Granule, bits of a virtual and of an output address. */
const SIZES: readonly Pick<Required<Arm64Options>, 'granule' | 'vaBits' | 'outputBits'>[] = [
  { granule: 4, vaBits: 48, outputBits: 48 },
  { granule: 4, vaBits: 52, outputBits: 52 },
  { granule: 16, vaBits: 47, outputBits: 48 },
  { granule: 16, vaBits: 52, outputBits: 52 },
  { granule: 64, vaBits: 48, outputBits: 48 },
  { granule: 64, vaBits: 52, outputBits: 52 },
];

/**
 * The configurations of this package, for tools that run several architectures: the kernel's half under Linux without
 * KPTI, and the process's half of the same size (`userFormat`). Each granule has its common and its largest address size, each with contiguous runs (`-cont`) and without.
 *
 * A configuration without runs turns them off in the format and in the policy. A cap on the leaf size cannot do it: runs are
 * smaller than blocks.
 *
 * @example
 * ```ts
 * for (const { name, format } of configurations) console.log(name, format.levels.length);
 * ```
 */
export const configurations: readonly Configuration[] = Object.freeze(
  SIZES.flatMap((size) => [false, true].map((contiguous) => configuration(size, contiguous))),
);

function configuration(size: (typeof SIZES)[number], contiguous: boolean): Configuration {
  const { granule, vaBits, outputBits } = size;
  const format = arm64({ ...size, contiguous });
  const wide = outputBits === 48 ? '' : granule === 64 ? ' (LPA)' : ' (LPA2)';
  const runs = contiguous ? 'contiguous runs' : 'no contiguous runs';
  return Object.freeze({
    name: contiguous ? `${format.name}-cont` : format.name,
    title: `arm64, ${granule} KiB pages, ${vaBits}-bit addresses${wide}, ${runs}, Linux without KPTI`,
    format,
    userFormat: arm64({ ...size, contiguous, half: 'ttbr0' }),
    linux: arm64Linux({ granule, vaBits, contiguous }),
  });
}
