import { pageSizeName, plural } from '@vmarea/cli';
import { KINDS, type LayoutRow, type PlacedArea, type SpaceLayout, spaceLayout } from '@vmarea/compare';
import { hex, printable } from '@vmarea/core';
import { html, type Markup } from '../html/markup.js';
import { CHART_STYLE, COLOURS, SCHEMES } from '../html/style.js';

const WIDTH = 960;
const LINE = 28;
const GAP = 6;
/** Pixels of the narrowest area where areas are magnified, and between two of them. */
const NARROW = 6;
const BETWEEN = 1.5;
/** Most areas that are drawn. What follows them is one piece. */
const MOST = 2000;

/** Areas that begin within so many pixels are one piece to scale, so that an image of any input is small. */
const SHARED = 3;

/** Something to draw: an area, or several together. */
interface Piece {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly colour: number;
  readonly title: string;
}

/**
 * The areas of a row as an image, at the addresses that they have there. Above all of them to scale, below each by itself, in the order of
 * addresses, and as wide as its logarithm. A pointer on an area shows its address, size, kind and caller.
 *
 * @param most - most areas that are drawn one by one.
 */
export function areaMap(row: LayoutRow, most: number = MOST): Markup {
  const places = [...row.places].sort((a, b) => (a.address < b.address ? -1 : 1));
  const kinds = KINDS.filter((kind) => places.some((place) => place.kind === kind));
  const top = 40;
  const layout = spaceLayout(places, 'true');
  const scaled = toScale(layout, top);
  const magnifiedTop = top + LINE + 46;
  const magnified = apart(places.slice(0, most), magnifiedTop);
  const left = places.length - Math.min(places.length, most);
  const bottom = (magnified.at(-1)?.y ?? magnifiedTop) + LINE;
  const keyTop = bottom + 30;
  const names = kinds.map((kind, i) => ({ kind, x: (i % 4) * 240, y: keyTop + Math.floor(i / 4) * 20 }));
  const height = keyTop + Math.ceil(kinds.length / 4) * 20 + (left > 0 ? 24 : 0);
  const draw = ({ x, y, width, colour, title }: Piece): Markup =>
    html`<rect class="area c${colour}" x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${LINE}"><title>${title}</title></rect>`;
  const ends =
    places.length === 0
      ? []
      : [
          html`<text class="dim" x="0" y="${top + LINE + 16}">${hex(layout.start)}</text>`,
          html`<text class="dim" x="${WIDTH}" y="${top + LINE + 16}" text-anchor="end">${hex(layout.end)}</text>`,
        ];
  const label = `${plural(places.length, 'vm area')} of ${row.configuration}, ${row.leafPolicy} leaves`;
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}">
<text x="0" y="14">${label}</text><text class="dim" x="0" y="32">to scale, with the space between them</text>
<path class="axis" d="M0 ${top}H${WIDTH}V${top + LINE}H0Z"/>${scaled.map(draw)}${ends}
<text class="dim" x="0" y="${magnifiedTop - 6}">one by one, by the logarithm of their size</text>${magnified.map(draw)}
${names.map(({ kind, x, y }) => html`<rect class="c${colourOf(kind)}" x="${x}" y="${y - 10}" width="12" height="12"/><text x="${x + 18}" y="${y}">${kind}</text>`)}
${left > 0 ? html`<text class="dim" x="0" y="${height - 6}">and ${plural(left, 'area')} above these</text>` : html``}</svg>`;
}

/** An image in a file of its own: it follows the reader's light or dark scheme. */
export function mapFile(row: LayoutRow): string {
  const { markup } = areaMap(row);
  const style = html`<style>${{ markup: `${SCHEMES}\n${CHART_STYLE}\nsvg{background:var(--back)}` }}</style>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${markup.replace('>\n', `>${style.markup}\n`)}\n`;
}

/** Areas to scale. Those that share a place are one piece, in the colour of the first. */
function toScale({ boxes }: SpaceLayout, y: number): Piece[] {
  const pieces: (Piece & { readonly areas: number })[] = [];
  for (const { place, left, width: part } of boxes) {
    const x = WIDTH * left;
    const width = Math.max(1, WIDTH * part);
    const before = pieces.at(-1);
    if (before !== undefined && x < before.x + SHARED && width < SHARED) {
      const areas = before.areas + 1;
      const title = `${plural(areas, 'area')} up to ${hex(endOf(place))}`;
      pieces[pieces.length - 1] = {
        ...before,
        areas,
        title,
        width: Math.max(before.width, x + width - before.x),
      };
    } else pieces.push({ x, y, width, colour: colourOf(place.kind), title: titleOf(place), areas: 1 });
  }
  return pieces;
}

/** Areas one after the other, in lines. */
function apart(places: readonly PlacedArea[], top: number): Piece[] {
  const { boxes } = spaceLayout(places, 'magnified');
  const pixels = NARROW / Math.min(...boxes.map(({ width }) => width));
  let x = 0;
  let y = top;
  return boxes.map(({ place, width: part }) => {
    const width = pixels * part;
    if (x + width > WIDTH) {
      x = 0;
      y += LINE + GAP;
    }
    const piece = { x, y, width, colour: colourOf(place.kind), title: titleOf(place) };
    x += width + BETWEEN;
    return piece;
  });
}

function titleOf({ address, bytes, kind, caller, line, mappedBytes, tableBytes }: PlacedArea): string {
  const who = caller === '' ? '' : `, ${printable(caller)}`;
  const mapped = mappedBytes === 0 ? 'not mapped' : `${pageSizeName(mappedBytes)} mapped`;
  return `${hex(address)}, ${pageSizeName(bytes)}, ${kind}${who}\nline ${line}; ${mapped}; ${Math.round(tableBytes)} bytes of tables`;
}

function endOf({ address, bytes, guardBytes }: PlacedArea): bigint {
  return address + BigInt(bytes) + BigInt(guardBytes);
}

function colourOf(kind: PlacedArea['kind']): number {
  return KINDS.indexOf(kind) % COLOURS;
}
