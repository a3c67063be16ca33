import { MARKS, type TableView } from '../../look/calls.js';
import { LOOKS, lookOf } from '../../look/cell-look.js';
import type { GridLayout } from './grid-layout.js';

/** What decides how cells are drawn, beside what they are. */
export interface CellStyle {
  readonly layout: GridLayout;
  readonly isDark: boolean;
  /** Pixels of the screen for one of the page. */
  readonly scale: number;
}

/** Pixels between two cells. */
export function gapOf({ pitch }: GridLayout): number {
  return pitch >= 8 ? 2 : pitch >= 4 ? 1 : 0;
}

/**
 * Draws all cells of a table. Each look is drawn once, and its pixels are copied: 8,192 cells as paths took 40 ms, as copies they
 * take 2.
 */
export function drawCells(context: CanvasRenderingContext2D, table: TableView, style: CellStyle): void {
  const { columns, pitch } = style.layout;
  const { width, height } = context.canvas;
  const side = pitch * style.scale;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const { kinds, marks } = table;
  const looks = new Map<number, Pixels>();
  for (let i = 0; i < kinds.length; i++) {
    const look = lookOf(kinds[i] ?? 0, marks[i] ?? 0);
    const isUser = ((marks[i] ?? 0) & MARKS.user) !== 0;
    const key = 2 * look + (isUser ? 1 : 0);
    let cell = looks.get(key);
    if (cell === undefined) {
      cell = pixelsOf(cellOf(look, isUser, style));
      looks.set(key, cell);
    }
    const column = i % columns;
    const row = (i - column) / columns;
    // Where a pixel of the page is no whole number of those of the screen, cells differ by one.
    const x = Math.round(column * side);
    const y = Math.round(row * side);
    const wide = Math.min(cell.width, Math.round((column + 1) * side) - x, width - x);
    const high = Math.min(cell.width, Math.round((row + 1) * side) - y, height - y);
    for (let line = 0; line < high; line++)
      for (let at = 0; at < wide; at++)
        pixels[(y + line) * width + x + at] = cell.pixels[line * cell.width + at] as number;
  }
  context.putImageData(image, 0, 0);
}

/** A square of pixels. */
interface Pixels {
  readonly width: number;
  readonly pixels: Uint32Array;
}

function pixelsOf(canvas: HTMLCanvasElement): Pixels {
  const { width } = canvas;
  const image = canvas.getContext('2d', { willReadFrequently: true })?.getImageData(0, 0, width, width);
  return { width, pixels: new Uint32Array(image?.data.buffer ?? new ArrayBuffer(4 * width * width)) };
}

/** One cell. */
function cellOf(look: number, isUser: boolean, { layout, isDark, scale }: CellStyle): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  const { pitch } = layout;
  canvas.width = Math.ceil(pitch * scale);
  canvas.height = canvas.width;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const one = LOOKS[look];
  if (context === null || one === undefined) return canvas;
  context.scale(scale, scale);
  const cell = pitch - gapOf(layout);
  context.fillStyle = isDark ? one.dark : one.light;
  context.beginPath();
  if (cell >= 6) context.roundRect(0, 0, cell, cell, Math.min(4, cell / 4));
  else context.rect(0, 0, cell, cell);
  context.fill();
  if (cell < 6) return canvas;
  if (one.name === 'table' || one.name === 'missing') {
    // A table is a frame: there is something inside.
    context.fillStyle = isDark ? '#1c1f26' : '#ffffff';
    const inner = Math.max(2, Math.round(cell * 0.36));
    context.fillRect((cell - inner) / 2, (cell - inner) / 2, inner, inner);
  }
  if (isUser) {
    context.fillStyle = '#ffffff';
    context.beginPath();
    context.arc(cell * 0.72, cell * 0.28, Math.max(1.2, cell * 0.15), 0, 7);
    context.fill();
  }
  if (one.name === 'reserved') {
    context.strokeStyle = isDark ? '#c2003c' : '#ff6b8f';
    context.beginPath();
    context.moveTo(2, 2);
    context.lineTo(cell - 2, cell - 2);
    context.moveTo(cell - 2, 2);
    context.lineTo(2, cell - 2);
    context.stroke();
  }
  return canvas;
}
