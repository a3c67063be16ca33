import type { Page } from 'playwright-core';

/** What a page did while something moved. */
export interface Moved {
  /** Frames a second that the browser drew. */
  readonly frames: number;
  /** Changes of what is shown, a second. */
  readonly changes: number;
  /** The longest time between two frames. Milliseconds. */
  readonly longest: number;
  /** Frames in which a part of the view was empty. */
  readonly gaps: number;
  readonly all: number;
}

/** What moves: a part of the page that is scrolled, or keys for one. */
export type Movement =
  | { readonly scroll: string; readonly pixels: number; readonly row: string }
  | { readonly keys: readonly string[]; readonly at: string; readonly shown: string };

/** Moves something in each frame for some seconds, in the page. */
export function move(page: Page, movement: Movement, seconds = 3): Promise<Moved> {
  return page.evaluate(
    async ([how, milliseconds]) => {
      const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));
      const at = document.querySelector('scroll' in how ? how.scroll : how.at) as HTMLElement;
      let shown = '';
      let changes = 0;
      let gaps = 0;
      let longest = 0;
      let frames = 0;
      const begin = await frame();
      let last = begin;
      while (last - begin < milliseconds) {
        if ('scroll' in how) {
          at.scrollTop += how.pixels;
          if (at.scrollTop + at.clientHeight >= at.scrollHeight - 1) at.scrollTop = 0;
        } else
          at.dispatchEvent(
            new KeyboardEvent('keydown', { key: how.keys[frames % how.keys.length], bubbles: true }),
          );
        const now = await frame();
        frames++;
        longest = Math.max(longest, now - last);
        last = now;
        let text = '';
        if ('scroll' in how) {
          const box = at.getBoundingClientRect();
          const rows = [...at.querySelectorAll(how.row)].map((row) => row.getBoundingClientRect());
          const top = rows[0]?.top ?? box.bottom;
          const bottom = rows.at(-1)?.bottom ?? box.top;
          if (top > box.top + 2 || bottom < box.bottom - 2) gaps++;
          text = at.querySelector(how.row)?.textContent ?? '';
        } else text = document.querySelector(how.shown)?.getAttribute('aria-valuetext') ?? '';
        if (text !== shown) changes++;
        shown = text;
      }
      const passed = (last - begin) / 1000;
      return { frames: frames / passed, changes: changes / passed, longest, gaps, all: frames };
    },
    [movement, seconds * 1000] as const,
  );
}
