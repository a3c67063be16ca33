import { VmError } from '@vmarea/core';
import type { Calls, PlainError, Progress, Question, Reply } from './caller.js';

/** An answer whose buffers are moved to the page, not copied. The worker has them no more. */
export class Moved<A> {
  readonly answer: A;
  readonly buffers: readonly ArrayBuffer[];

  constructor(answer: A, buffers: readonly ArrayBuffer[]) {
    this.answer = answer;
    this.buffers = buffers;
  }
}

type Answer<A> = A | Moved<A>;

/** What answers each call. */
export type Answers<C extends Calls> = {
  readonly [N in keyof C & string]: (
    ask: C[N]['ask'],
    progress: (progress: Progress) => void,
    part: (part: C[N]['part']) => void,
  ) => Answer<C[N]['answer']> | Promise<Answer<C[N]['answer']>>;
};

/** The part of a worker's global object that is needed. */
export interface Host {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

/** Answers the calls of a page, in a worker. */
export function serve<C extends Calls>(host: Host, answers: Answers<C>): void {
  const post = (reply: Reply): void => host.postMessage(reply);
  host.onmessage = async ({ data }) => {
    const { id, name, ask } = data as Question;
    try {
      const answer = answers[name as keyof C & string];
      const got = await answer(
        ask,
        (progress) => post({ id, progress }),
        (part) => post({ id, part }),
      );
      if (got instanceof Moved) host.postMessage({ id, answer: got.answer } satisfies Reply, got.buffers);
      else post({ id, answer: got });
    } catch (error) {
      post({ id, error: plain(error) });
    }
  };
}

function plain(error: unknown): PlainError {
  if (error instanceof VmError) return { code: error.code, message: error.message };
  return { code: null, message: error instanceof Error ? error.message : String(error) };
}
