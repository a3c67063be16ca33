import { printable } from '@vmarea/core';

/** A section as messages name it. Names come from files, so they are made printable. */
export function shownSection(name: string): string {
  return name === '' ? 'section without a name' : `section ${printable(name)}`;
}
