const FILES = import.meta.glob<string>('../../../programs/*.js', {
  query: '?raw',
  import: 'default',
  eager: true,
});

/** A ready program. */
export interface Program {
  readonly name: string;
  /** What the list of programs calls it. */
  readonly title: string;
  /** Its first line, which says what it shows. */
  readonly about: string;
  readonly code: string;
}

/** In this order a newcomer reads them. */
const ORDER = [
  'readme',
  'sparse-area',
  'lazy-area',
  'huge-vmalloc',
  'split-and-collapse',
  'runs',
  'break-before-make',
  'lazy-purge',
  'two-processors',
  'arena',
  'wrong-calls',
] as const;

export const PROGRAMS: readonly Program[] = ORDER.map((name) => {
  const code = FILES[`../../../programs/${name}.js`];
  if (code === undefined) throw new Error(`the program ${name} has no file`);
  const title = name === 'readme' ? 'the program of the README' : name.replaceAll('-', ' ');
  return { name, title, code, about: (code.split('\n')[0] ?? '').replace(/^\/\/ /, '') };
});
