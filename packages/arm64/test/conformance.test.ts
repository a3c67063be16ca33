import { type Manual, suite } from '@vmarea/conformance';
import { mask } from '@vmarea/core';
import { test } from 'vitest';
import { type Arm64Options, arm64, ARM64_BITS as B, configurations } from '../src/index.js';

/** Arm ARM: D8.17 (break-before-make), D8.4 (hierarchical permissions), D24.2 (fault status codes). FEAT_HAFT is not modelled. */
const manual: Manual = {
  breaks: ['size', 'run', 'frame', 'memory', 'global'],
  tables: [
    { bits: B.PXN_TABLE, value: B.PXN_TABLE, forbids: ['kernel execute'] },
    { bits: B.UXN_TABLE, value: B.UXN_TABLE, forbids: ['user execute'] },
    { bits: B.AP_TABLE_NO_USER, value: B.AP_TABLE_NO_USER, forbids: ['user read', 'user write'] },
    { bits: B.AP_TABLE_READ_ONLY, value: B.AP_TABLE_READ_ONLY, forbids: ['kernel write', 'user write'] },
  ],
  tableUse: 0n,
  faults: ['kind', 'level'],
};

for (const configuration of configurations) suite(test, () => configuration, { manual });

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
