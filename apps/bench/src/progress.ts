import { setImmediate } from 'node:timers/promises';
import type { Sink } from './console.js';

/** Tells a person that a long run is alive, on standard error. */
export interface Progress {
  /** One more step is done; `what` names the next. Lets signals and timers through. */
  step(what: string): Promise<void>;
  /** Takes the bar away. */
  end(): void;
}

/** Milliseconds of silence: short runs print nothing at all. */
const QUIET_TTY = 400;
const QUIET_LINES = 2000;
/** Milliseconds between two updates of a bar, and between two plain lines. */
const EVERY_TTY = 100;
const EVERY_LINES = 5000;
const BAR = 24;

/**
 * A bar on a terminal, a plain line every few seconds elsewhere.
 *
 * It draws by itself: prompt libraries put standard input into raw mode, which a run that reads its input
 * from there, or is stopped with Ctrl-C, must not do.
 *
 * @param steps - how many calls of `step` make the whole.
 */
export function progress(sink: Sink, steps: number): Progress {
  const tty = sink.isTTY === true;
  let next = performance.now() + (tty ? QUIET_TTY : QUIET_LINES);
  let done = 0;
  let drawn = false;
  return {
    async step(what) {
      done++;
      const now = performance.now();
      if (now >= next) {
        next = now + (tty ? EVERY_TTY : EVERY_LINES);
        const percent = Math.floor((100 * Math.min(done, steps)) / Math.max(steps, 1));
        if (tty) {
          const full = Math.floor((BAR * percent) / 100);
          const room = (sink.columns ?? 80) - BAR - 8;
          const text = what.length > room ? what.slice(0, Math.max(room, 0)) : what;
          sink.write(`\r\u001b[2K${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${percent}% ${text}`);
          drawn = true;
        } else {
          sink.write(`${percent}% ${what}\n`);
        }
      }
      await setImmediate();
    },
    end() {
      if (drawn) sink.write('\r\u001b[2K');
      drawn = false;
    },
  };
}
