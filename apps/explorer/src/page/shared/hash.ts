/** The views of the page. */
const VIEWS = ['walk', 'try', 'compare'] as const;
export type View = (typeof VIEWS)[number];

/** What the part of the URL behind `#` names. */
export interface Place {
  readonly view: View;
  readonly params: ReadonlyMap<string, string>;
}

/** Reads the hash of a URL. Anything that is no place is the first view. */
export function parseHash(hash: string): Place {
  const [, name = '', query = ''] = /^#?([a-z]*)(?:\?(.*))?$/.exec(hash) ?? [];
  const view = VIEWS.find((one) => one === name);
  if (view === undefined) return { view: 'walk', params: new Map() };
  return { view, params: new Map(new URLSearchParams(query)) };
}

/** The hash that names a place. Members that are `null` are left out. */
export function hashOf(view: View, params: Readonly<Record<string, string | number | null>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== null) query.set(name, String(value));
  const text = query.toString();
  return text === '' ? `#${view}` : `#${view}?${text}`;
}

/** An address as a hash or a person writes it: hexadecimal, with or without `0x`, also with `_` or spaces; `null` for none. */
export function parseAddress(text: string): bigint | null {
  const digits = text
    .trim()
    .replace(/^0x/i, '')
    .replace(/[_\s`']/g, '');
  return /^[\da-f]{1,16}$/i.test(digits) ? BigInt(`0x${digits}`) : null;
}
