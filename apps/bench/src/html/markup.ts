/** Markup that needs no escape any more. */
export interface Markup {
  readonly markup: string;
}

/** Text for an element or an attribute. Control characters have no place in HTML. */
function escaped(text: string): string {
  return text
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
    .replace(/[\p{Cc}\p{Cs}]/gu, (c) => (c === '\n' ? c : '�'));
}

/** Fills values into a template. Text is escaped, markup and lists of it are not. */
export function html(
  parts: TemplateStringsArray,
  ...values: readonly (string | number | Markup | readonly Markup[])[]
): Markup {
  const markup = parts
    .map((part, i) => {
      const value = values[i];
      if (value === undefined) return part;
      if (typeof value === 'string' || typeof value === 'number') return part + escaped(String(value));
      return part + ('markup' in value ? value.markup : value.map((one) => one.markup).join(''));
    })
    .join('');
  return { markup };
}
