/**
 * Calls of a worker: a name, a question and an answer, as a `Calls` type lists them.
 *
 * A call is one message `{ id, name, ask }` to the worker, and one back: `{ id, answer }` or `{ id, error }`. Before it, messages
 * `{ id, progress }` may come, and `{ id, part }` from a call that has something to show before it ends.
 */
export type Calls = {
  readonly [name: string]: { readonly ask: unknown; readonly answer: unknown; readonly part?: unknown };
};

/** How far a call is. */
export interface Progress {
  /** What is being done, in words. */
  readonly what: string;
  /** 0 to 1; `null` where nobody knows. */
  readonly share: number | null;
}

/** An error as a message carries it. */
export interface PlainError {
  /** Linux's code of a `VmError`; `null` for any other error. */
  readonly code: string | null;
  readonly message: string;
}

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly ask: unknown;
}

export type Reply =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: PlainError }
  | { readonly id: number; readonly progress: Progress }
  | { readonly id: number; readonly part: unknown };

/** What a worker refused. */
class CallError extends Error {
  readonly code: string | null;

  constructor({ code, message }: PlainError) {
    super(message);
    this.code = code;
  }
}

/** The part of a `Worker` that a caller needs. */
export interface Port {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
  readonly progress: ((progress: Progress) => void) | undefined;
  readonly part: ((part: never) => void) | undefined;
}

/** The page's side of a worker. */
export class Caller<C extends Calls> {
  readonly #port: Port;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;

  constructor(port: Port) {
    this.#port = port;
    port.onmessage = ({ data }) => this.#take(data as Reply);
    port.onerror = (event) => this.#fail(`the worker failed: ${event.message ?? 'it did not load'}`);
  }

  /** Calls the worker. Calls are answered one by one; a long one may let others pass. */
  call<N extends keyof C & string>(
    name: N,
    ask: C[N]['ask'],
    progress?: (progress: Progress) => void,
    part?: (part: C[N]['part']) => void,
  ): Promise<C[N]['answer']> {
    const id = this.#next++;
    return new Promise<C[N]['answer']>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, progress, part });
      this.#port.postMessage({ id, name, ask } satisfies Question);
    });
  }

  /** Ends the worker. Calls without an answer are refused. */
  end(): void {
    this.#port.terminate();
    this.#fail('the call was stopped');
  }

  #take(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    if ('progress' in reply) {
      waiting.progress?.(reply.progress);
      return;
    }
    if ('part' in reply) {
      waiting.part?.(reply.part as never);
      return;
    }
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting.reject(new CallError(reply.error));
    else waiting.resolve(reply.answer as never);
  }

  #fail(message: string): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(new CallError({ code: null, message }));
  }
}
