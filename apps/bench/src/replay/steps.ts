import type { Allocation, Trace } from './trace.js';

/** What a stream asks of another format. */
export type Step =
  /** A request that got a place; `area` names it. */
  | { readonly type: 'request'; readonly cpu: number; readonly request: Allocation; readonly area: number }
  /** A request that failed: it had a full purge made. */
  | { readonly type: 'failure'; readonly cpu: number }
  | { readonly type: 'free'; readonly area: number };

/**
 * Requests and frees of a stream.
 *
 * A request that finds nothing is recorded twice: it purges and tries again. Both rows are one failure, or one failure and a request.
 */
export function stepsOf({ rows }: Trace): Step[] {
  const steps: Step[] = [];
  /** By thread: the request that failed last, unless its second try was seen. */
  const failed = new Map<string, string>();
  for (const { cpu, thread, event } of rows) {
    if (event.type === 'free') steps.push({ type: 'free', area: event.start });
    if (event.type !== 'allocation') continue;
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
