import { VmError } from '@vmarea/core';
import type { TlbDescription } from '../description.js';
import { ZEN_2, ZEN_3, ZEN_4, ZEN_5 } from './amd.js';
import { APPLE_M1_E, APPLE_M1_P } from './apple.js';
import { CORTEX_A55, CORTEX_A76, NEOVERSE_N2, NEOVERSE_V2, NEOVERSE_V3 } from './arm.js';
import { GOLDEN_COVE } from './intel.js';
import { ORYON } from './qualcomm.js';
import { P870 } from './sifive.js';

/** All presets, for tools that offer a choice. A program that names one alone does not carry the others. */
export const TLB_PRESETS: readonly TlbDescription[] = [
  GOLDEN_COVE,
  ZEN_2,
  ZEN_3,
  ZEN_4,
  ZEN_5,
  CORTEX_A76,
  NEOVERSE_N2,
  NEOVERSE_V2,
  NEOVERSE_V3,
  CORTEX_A55,
  APPLE_M1_P,
  APPLE_M1_E,
  ORYON,
  P870,
];

/**
 * The preset of a name.
 *
 * @param name - `TlbDescription.name`, such as `zen-5`.
 * @throws VmError `EINVAL` for a name that no preset has; the message lists them.
 */
export function tlbPreset(name: string): TlbDescription {
  const found = TLB_PRESETS.find((preset) => preset.name === name);
  if (found !== undefined) return found;
  throw new VmError('EINVAL', `there is no TLB preset '${String(name)}'`, {
    advice: `there are ${TLB_PRESETS.map((preset) => preset.name).join(', ')}`,
  });
}
