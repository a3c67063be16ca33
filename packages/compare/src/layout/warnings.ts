import { count } from '../parts/text.js';
import type { Plan } from './plan.js';

/** Sentences about areas that a plan leaves out or leaves empty. */
export function planWarnings({ configuration, leafPolicy, doesNotFit, unreachable }: Plan): string[] {
  const who = `${configuration.name}, ${leafPolicy} leaves`;
  const areas = (requests: Plan['doesNotFit']): string =>
    `${count(requests.length)} ${requests.length === 1 ? 'area' : 'areas'}`;
  const lines = (requests: Plan['doesNotFit']): string => {
    const shown = requests.slice(0, 5).map((request) => request.line);
    return `line ${shown.join(', ')}${requests.length > shown.length ? ', …' : ''}`;
  };
  const warnings: string[] = [];
  if (doesNotFit.length > 0) {
    warnings.push(`${who}: the vmalloc window has no room for ${areas(doesNotFit)} (${lines(doesNotFit)})`);
  }
  if (unreachable.length > 0) {
    warnings.push(
      `${who}: ${areas(unreachable)} left empty, since the physical addresses exceed ` +
        `${configuration.format.paBits} bits (${lines(unreachable)})`,
    );
  }
  return warnings;
}
