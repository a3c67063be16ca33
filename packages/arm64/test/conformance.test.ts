import { suite } from '@vmarea/conformance';
import { test } from 'vitest';
import { type Arm64Options, arm64, configurations } from '../src/index.js';

for (const configuration of configurations) suite(test, () => configuration);

/** What Linux has no configuration for: the lower half, small roots, one level, sizes between the usual ones. */
const others: readonly Arm64Options[] = [
  { granule: 4, vaBits: 16, half: 'ttbr0' },
  { granule: 4, vaBits: 25, half: 'ttbr1' },
  { granule: 4, vaBits: 39, half: 'ttbr0', paBits: 40 },
  { granule: 4, vaBits: 52, half: 'ttbr0', outputBits: 52 },
  { granule: 16, vaBits: 25, half: 'ttbr1' },
  { granule: 16, vaBits: 36, half: 'ttbr0' },
  { granule: 16, vaBits: 48, half: 'ttbr1', outputBits: 52, paBits: 51 },
  { granule: 64, vaBits: 29, half: 'ttbr0' },
  { granule: 64, vaBits: 42, half: 'ttbr0', lpa: true },
  { granule: 64, vaBits: 42, half: 'ttbr1', outputBits: 52 },
];
for (const options of others) {
  const format = arm64(options);
  const name = `${format.name}-pa${format.paBits}`;
  suite(test, () => ({ name, format }), { runs: 8 });
}
