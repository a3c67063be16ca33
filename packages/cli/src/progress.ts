import { setImmediate } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import type { Console } from './console.js';

/** Shows on standard error how far a long run is. */
export interface Progress {
  /**
   * Tells that a step begins and all steps before it are done. Lets signals and timers run.
   *
   * @param what - names the step.
   * @param amount - how much of the run's length it is. Default: 1.
   */
  step(what: string, amount?: number): Promise<void>;
  /** Removes the bar. */
  end(): void;
}

/** Milliseconds before the first output: a short run prints nothing. */
const QUIET_BAR = 400;
const QUIET_LINES = 2000;
/** Milliseconds between two plain lines. */
const EVERY_LINE = 5000;

/**
 * Shows a bar on a terminal, and a line every few seconds elsewhere.
 *
 * The bar does not change the terminal: the cursor stays visible and lines wrap. So Ctrl-C can end the process at any
 * time. The bar does not read standard input.
 *
 * @param steps - the sum of all steps' amounts: how many times the caller calls `step`, where each is 1.
 */
export function progress({ stderr, env }: Pick<Console, 'stderr' | 'env'>, steps: number): Progress {
  const start = performance.now();
  const show = stderr.isTTY === true && env.TERM !== 'dumb' ? bar : lines;
  const shown = show(stderr, steps);
  let begun = 0;
  return {
    async step(what, amount = 1) {
      shown.update(begun, what, performance.now() - start);
      begun += amount;
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
    // The library's type is a stream; it uses only what a sink has.
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
