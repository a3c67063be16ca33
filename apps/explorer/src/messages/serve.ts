import { VmError } from '@vmarea/core';
import type { Calls, PlainError, Progress, Question, Reply } from './caller.js';

/** What answers each call. */
export type Answers<C extends Calls> = {
  readonly [N in keyof C & string]: (
    ask: C[N]['ask'],
    progress: (progress: Progress) => void,
  ) => C[N]['answer'] | Promise<C[N]['answer']>;
};

/** The part of a worker's global object that is needed. */
export interface Host {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

/** Answers the calls of a page, in a worker. */
export function serve<C extends Calls>(host: Host, answers: Answers<C>): void {
  const post = (reply: Reply): void => host.postMessage(reply);
  host.onmessage = async ({ data }) => {
    const { id, name, ask } = data as Question;
    try {
      const answer = answers[name as keyof C & string];
      post({ id, answer: await answer(ask, (progress) => post({ id, progress })) });
    } catch (error) {
      post({ id, error: plain(error) });
    }
  };
}

function plain(error: unknown): PlainError {
  if (error instanceof VmError) return { code: error.code, message: error.message };
  return { code: null, message: error instanceof Error ? error.message : String(error) };
}
