import type { Granule } from './bits.js';

/** What decides the name of a format. */
export interface Named {
  readonly granule: Granule;
  readonly vaBits: number;
  readonly outputBits: 48 | 52;
  readonly half: 'ttbr0' | 'ttbr1';
}

/** The name of a format: `arm64-4k-48`. Unusual settings follow: `-oa52`, `-ttbr0`. */
export function formatName({ granule, vaBits, outputBits, half }: Named): string {
  const usual = vaBits > 48 ? 52 : 48;
  const output = outputBits === usual ? '' : `-oa${outputBits}`;
  return `arm64-${granule}k-${vaBits}${output}${half === 'ttbr0' ? '-ttbr0' : ''}`;
}

/** The formats of one half, whatever the size of its output addresses. */
export function formatsOf(granule: Granule, vaBits: number, half: Named['half']): readonly string[] {
  // More than 48 bits of address need LPA2 with the smaller granules.
  const sizes = vaBits > 48 && granule !== 64 ? ([52] as const) : ([48, 52] as const);
  return Object.freeze(sizes.map((outputBits) => formatName({ granule, vaBits, outputBits, half })));
}
