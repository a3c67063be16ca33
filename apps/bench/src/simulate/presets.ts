import { UsageError, unknown } from '@vmarea/cli';
import type { Configuration } from '@vmarea/core';
import { TLB_PRESETS, type TlbDescription } from '@vmarea/mmu';

/** The presets of a run without `--preset`: one or two for each architecture, each with the page sizes that it was measured with. */
const USUAL: readonly { readonly name: string; readonly pageShifts?: readonly number[] }[] = [
  { name: 'golden-cove' },
  { name: 'zen-5' },
  { name: 'neoverse-v2' },
  { name: 'apple-m1-p', pageShifts: [14] },
  { name: 'p870' },
];

/** The presets of a run, for each format. */
export type PresetChoice = (configuration: Configuration) => readonly TlbDescription[];

/**
 * Reads the option `--preset`. Without it, a format gets the usual ones of its architecture. A preset that is named runs on every
 * format: the same TLBs show what the format alone changes. `all`: all of its architecture.
 *
 * @throws UsageError for an unknown name.
 */
export function presetChoice(value: string | undefined): PresetChoice {
  if (value === undefined) return usualOf;
  const names = value.split(',').map((name) => name.trim());
  if (names.includes('all'))
    return (configuration) => TLB_PRESETS.filter((preset) => isOf(preset, configuration));
  const known = TLB_PRESETS.map(({ name }) => name);
  const chosen = [...new Set(names)].map((name) => {
    const found = TLB_PRESETS.find((preset) => preset.name === name);
    if (found !== undefined) return found;
    if (name === '') throw new UsageError(`--preset has an empty name; known: ${known.join(', ')}`);
    throw unknown('preset', name, [...known, 'all']);
  });
  return () => chosen;
}

function usualOf(configuration: Configuration): readonly TlbDescription[] {
  const { pageShift } = configuration.format;
  return USUAL.flatMap(({ name, pageShifts }) => {
    const preset = TLB_PRESETS.find((one) => one.name === name);
    const isMeasured = pageShifts === undefined || pageShifts.includes(pageShift);
    return preset !== undefined && isMeasured && isOf(preset, configuration) ? [preset] : [];
  });
}

/** Whether a preset is of the architecture of a format. */
function isOf({ architecture }: TlbDescription, { name }: Configuration): boolean {
  return architecture === undefined || name === architecture || name.startsWith(`${architecture}-`);
}
