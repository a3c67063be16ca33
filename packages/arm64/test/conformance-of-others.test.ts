import { type Manual, suite } from '@vmarea/conformance';
import { completeControls, mask, type PageTableFormat } from '@vmarea/core';
import { test } from 'vitest';
import {
  ARM64_CONTROLS,
  type Arm64Controls,
  type Arm64Options,
  arm64,
  arm64Linux,
  LINUX_PIR,
  LINUX_PIRE0,
} from '../src/index.js';
import { manual } from './manual.js';

/** Configurations whose physical addresses are shorter than the address in an entry. */
function beyond(bits: bigint): Manual {
  return { ...manual, reserved: (['table', 'leaf'] as const).map((kind) => ({ in: kind, bits })) };
}

/** Formats without a Linux configuration: the lower half, small roots, one level, sizes between the usual ones. */
const others: readonly (readonly [options: Arm64Options, manual?: Manual])[] = [
  [{ granule: 4, vaBits: 16, half: 'ttbr0' }],
  [{ granule: 4, vaBits: 25, half: 'ttbr1' }],
  [{ granule: 4, vaBits: 39, half: 'ttbr0', paBits: 40 }, beyond(mask(40, 47))],
  [{ granule: 4, vaBits: 52, half: 'ttbr0', outputBits: 52 }],
  [{ granule: 16, vaBits: 25, half: 'ttbr1' }],
  [{ granule: 16, vaBits: 36, half: 'ttbr0' }],
  [{ granule: 16, vaBits: 48, half: 'ttbr1', outputBits: 52, paBits: 51 }, beyond(mask(9, 9))],
  [{ granule: 64, vaBits: 29, half: 'ttbr0' }],
  [{ granule: 64, vaBits: 42, half: 'ttbr0', lpa: true }, beyond(mask(12, 15))],
  [{ granule: 64, vaBits: 42, half: 'ttbr1', outputBits: 52 }],
];
for (const [options, said = manual] of others) {
  const format = arm64(options);
  const name = `${format.name}-pa${format.paBits}`;
  suite(test, () => ({ name, format }), { runs: 8, manual: said });
}

/** With PIE, tables forbid nothing. */
const indirect: Manual = { ...manual, tables: [] };

/**
 * Linux's values; and those of nobody. There every page has another index, and three indexes are no choice for a page: a page
 * that the user reads and the kernel writes, one that the kernel may only fetch from, and a shadow stack.
 */
const PIE = { pir: LINUX_PIR, pire0: LINUX_PIRE0 };
const OTHERS = { pir: 0xc200080ca0e088ccn, pire0: 0x1090230700000105n };

/** A format whose own controls have overlays on. */
function overlaid(format: PageTableFormat<Arm64Controls>): PageTableFormat<Arm64Controls> {
  const controls: Arm64Controls = Object.freeze({ ...ARM64_CONTROLS, poe: true, e0poe: true });
  const modes = (given: Arm64Controls) => completeControls(controls, given, format.name);
  return {
    ...format,
    controls,
    permissions: (path, given) => format.permissions(path, modes(given)),
    checkRoot: (access, given) => format.checkRoot?.(access, modes(given)) ?? null,
    check: (path, access, given) => format.check(path, access, modes(given)),
    touch: (entry, level, kind, access, given) => format.touch(entry, level, kind, access, modes(given)),
    faultCode: (fault, access, given) => format.faultCode(fault, access, modes(given)),
  };
}

const size = { granule: 64, vaBits: 42 } as const;
const indirects = [
  { name: 'arm64-64k-42-pie', format: arm64({ ...size, ...PIE }), linux: arm64Linux(size) },
  { name: 'arm64-16k-36-pie-poe', format: overlaid(arm64({ granule: 16, vaBits: 36, ...OTHERS })) },
];
for (const subject of indirects) suite(test, () => subject, { runs: 8, manual: indirect });
