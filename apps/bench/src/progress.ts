import { setImmediate } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import type { Console } from './console.js';

/** Tells a person that a long run is alive, on standard error. */
export interface Progress {
  /** A step begins, all before it are done; `what` names it. Lets signals and timers through. */
  step(what: string): Promise<void>;
  /** Takes the bar away. */
  end(): void;
}

/** Milliseconds of silence: short runs print nothing at all. */
const QUIET_BAR = 400;
const QUIET_LINES = 2000;
/** Milliseconds between two plain lines. */
const EVERY_LINE = 5000;

/**
 * A bar on a terminal, a plain line every few seconds elsewhere.
 *
 * The bar changes no setting of the terminal (the cursor stays, lines wrap) and listens to no signal: Ctrl-C
 * ends the process at once and leaves nothing to restore. Standard input is not touched.
 *
 * @param steps - how many calls of `step` make the whole.
 */
export function progress({ stderr, env }: Pick<Console, 'stderr' | 'env'>, steps: number): Progress {
  const start = performance.now();
  const show = stderr.isTTY === true && env.TERM !== 'dumb' ? bar : lines;
  const shown = show(stderr, steps);
  let begun = 0;
  return {
    async step(what) {
      shown.update(begun++, what, performance.now() - start);
      await setImmediate();
    },
    end: () => shown.stop(),
  };
}

interface Shown {
  update(done: number, what: string, elapsed: number): void;
  stop(): void;
}

function bar(stream: Console['stderr'], steps: number): Shown {
  const drawn = new SingleBar({
    // The library asks for a whole stream and uses what a sink has.
    stream: stream as unknown as NodeJS.WritableStream,
    format: '{bar} {percentage}% {what}',
    barsize: 24,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    linewrap: true,
    clearOnComplete: true,
  });
  return {
    update(done, what, elapsed) {
      if (drawn.isActive) drawn.update(done, { what });
      else if (elapsed >= QUIET_BAR) drawn.start(steps, done, { what });
    },
    stop: () => drawn.stop(),
  };
}

function lines(stream: Console['stderr'], steps: number): Shown {
  let next = QUIET_LINES;
  return {
    update(done, what, elapsed) {
      if (elapsed < next) return;
      next = elapsed + EVERY_LINE;
      stream.write(`${Math.floor((100 * done) / steps)}% ${what}\n`);
    },
    stop() {},
  };
}
