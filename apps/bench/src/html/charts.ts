import { html, type Markup } from './markup.js';
import { COLOURS } from './style.js';

/** A bar of several parts. */
export interface Bar {
  readonly label: string;
  /** One for each part, in the order of the chart's names; 0 or more. */
  readonly values: readonly number[];
  /** What stands beside it. */
  readonly text: string;
}

/** Horizontal bars from 0 on, in one scale. */
export function bars(title: string, names: readonly string[], all: readonly Bar[]): Markup {
  const sum = ({ values }: Bar): number => values.reduce((total, value) => total + value, 0);
  const most = Math.max(Number.MIN_VALUE, ...all.map(sum));
  const rows = all.map(
    ({ label, values, text }) => html`<span>${label}</span><b>${text}</b><p>${values.flatMap((value, i) =>
      value === 0
        ? []
        : [html`<i class="c${i % COLOURS}" style="width:${((100 * value) / most).toFixed(1)}%"></i>`],
    )}</p>
`,
  );
  return html`<figure><figcaption>${title}</figcaption>${key(names)}<div class="bars">${rows}</div></figure>`;
}

/** Several bars of one thing, each with its text. */
export interface BarGroup {
  readonly label: string;
  /** One for each name of the chart; `null` where there is none. */
  readonly bars: readonly ({ readonly value: number; readonly text: string } | null)[];
}

/** Groups of horizontal bars from 0 on, in one scale. A page has hundreds of groups, so their markup is short. */
export function groupedBars(title: string, names: readonly string[], all: readonly BarGroup[]): Markup {
  const most = Math.max(Number.MIN_VALUE, ...all.flatMap(({ bars: of }) => of.map((bar) => bar?.value ?? 0)));
  const rows = all.map(
    ({ label, bars: of }) =>
      // HTML ends each of these by the next one.
      html`<dt>${label}<dd>${of.flatMap((bar, i) =>
        bar === null
          ? []
          : [
              html`<i class=c${i % COLOURS} style=width:${((100 * bar.value) / most).toFixed(1)}%>${bar.text}</i>`,
            ],
      )}
`,
  );
  return html`<figure><figcaption>${title}</figcaption>${key(names)}<dl class="bars groups">${rows}</dl></figure>`;
}

/** Names with their colours. */
function key(names: readonly string[]): Markup {
  return html`<ul class="key">${names.map((name, i) => html`<li><i class="c${i % COLOURS}"></i>${name}</li>`)}</ul>`;
}

/** A curve. */
export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 64;
const BOTTOM = 36;
const TOP = 8;
/** Lines across a chart. */
const LINES = 4;

/**
 * Curves over one axis, from 0 on.
 *
 * @param x - the name of the axis.
 * @param text - a value as text.
 */
export function curves(
  title: string,
  x: string,
  all: readonly Curve[],
  text: (value: number) => string,
): Markup {
  const points = all.flatMap((curve) => curve.points);
  if (points.length === 0) return html``;
  const mostX = Math.max(...points.map((point) => point.x), 1);
  const mostY = Math.max(...points.map((point) => point.y), Number.MIN_VALUE);
  const atX = (value: number): string => (LEFT + ((WIDTH - LEFT - 8) * value) / mostX).toFixed(1);
  const atY = (value: number): string =>
    (HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / mostY).toFixed(1);
  const grid = Array.from({ length: LINES + 1 }, (_, i) => {
    const value = (mostY * i) / LINES;
    return html`<path class="axis" d="M${LEFT} ${atY(value)}H${WIDTH - 8}"/><text class="dim" x="${LEFT - 6}" y="${atY(value)}" dy="4" text-anchor="end">${text(value)}</text>`;
  });
  const lines = all.map(
    ({ name, points: of }, i) =>
      html`<path class="curve s${i % COLOURS}" d="M${of.map((point) => `${atX(point.x)} ${atY(point.y)}`).join('L')}"><title>${name}</title></path>`,
  );
  return html`<figure><figcaption>${title}</figcaption>${key(all.map(({ name }) => name))}<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">${grid}${lines}<text class="dim" x="${WIDTH - 8}" y="${HEIGHT - 8}" text-anchor="end">${x}: 0 to ${mostX.toLocaleString('en-US')}</text></svg></figure>`;
}
