/** A section as messages name it. */
export function shownSection(name: string): string {
  return name === '' ? 'section without a name' : `section ${name}`;
}
