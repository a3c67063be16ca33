import { hex, printable } from '@vmarea/core';
import type { OpenRoot } from '../input/open-root.js';

/** The first line of a list: which root it is of. */
export function titleOf({ chosen, layout }: Pick<OpenRoot, 'chosen' | 'layout'>): string {
  const assumed = layout.assumed === null ? '' : `; regions: ${layout.assumed}`;
  return `# ${chosen.format.name}, root ${hex(chosen.root)}, from ${printable(chosen.from)}${assumed}`;
}
