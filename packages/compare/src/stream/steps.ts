import type { Allocation, AreaStream, Release } from './stream.js';

/** A step of a stream on another format. */
export type Step =
  /** A request that succeeded; `area` is its name. */
  | { readonly type: 'request'; readonly cpu: number; readonly request: Allocation; readonly area: number }
  /** A request that failed after a full purge. */
  | { readonly type: 'failure'; readonly cpu: number }
  | { readonly type: 'free'; readonly area: number };

/**
 * The requests and frees of a stream.
 *
 * A request that finds no range purges and tries again. Both tries have a row: they are one failure, or a failure and a request.
 */
export function stepsOf({ rows }: AreaStream): Step[] {
  const steps: Step[] = [];
  /** By thread: the request that failed last and was not tried again. */
  const failed = new Map<string, string>();
  for (const { cpu, thread, event } of rows) {
    if (isRelease(event)) steps.push({ type: 'free', area: event.start });
    if (!isAllocation(event)) continue;
    const { start, size, align, window } = event;
    const asked = `${size} ${align} ${window}`;
    const isSecond = failed.get(thread) === asked;
    failed.delete(thread);
    if (start !== null) steps.push({ type: 'request', cpu, request: event, area: start });
    else if (!isSecond) {
      steps.push({ type: 'failure', cpu });
      failed.set(thread, asked);
    }
  }
  return steps;
}

function isAllocation(event: { readonly type: string }): event is Allocation {
  return event.type === 'allocation';
}

function isRelease(event: { readonly type: string }): event is Release {
  return event.type === 'free';
}
