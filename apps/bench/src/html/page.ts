import { dataOf, SAVING } from './data.js';
import { html, type Markup } from './markup.js';
import { PAGE_STYLE } from './style.js';
import { SORTING } from './table.js';

/** What a page has. */
export interface Page {
  readonly title: string;
  /** Paragraphs below the title. */
  readonly notes: readonly string[];
  readonly sections: readonly { readonly title: string; readonly body: readonly Markup[] }[];
  /** The result, for programs. */
  readonly data: unknown;
}

/** A page in one file: it loads nothing, and follows the reader's light or dark scheme. */
export function htmlPage({ title, notes, sections, data }: Page): string {
  const body = sections.map(
    ({ title: head, body: of }) => html`<section><h2>${head}</h2>${of}</section>
`,
  );
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>${title}</title><style>${{ markup: PAGE_STYLE }}</style></head>
<body><main><h1>${title}</h1>${notes.map((note) => html`<p class="dim">${note}</p>`)}
${body}<p><button type="button" id="save">Save the data as JSON</button></p></main>
${dataOf(data)}
<script>${{ markup: SORTING + SAVING }}</script></body></html>
`.markup;
}
