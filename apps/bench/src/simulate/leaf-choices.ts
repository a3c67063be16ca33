import { oneOf, UsageError } from '@vmarea/cli';
import { LEAF_CHOICES, type LeafChoice } from '@vmarea/compare';

/**
 * Reads the option `--leaves`. Default: `base` and `huge`.
 *
 * @throws UsageError for an unknown word.
 */
export function leafChoices(value: string | undefined): readonly LeafChoice[] {
  if (value === undefined) return ['base', 'huge'];
  const words = value.split(',').map((one) => one.trim());
  if (words.includes(''))
    throw new UsageError(`--leaves has an empty word; known: ${LEAF_CHOICES.join(', ')}`);
  const wanted = new Set(words.map((one) => oneOf('--leaves', one, LEAF_CHOICES, 'base')));
  return LEAF_CHOICES.filter((one) => wanted.has(one));
}
