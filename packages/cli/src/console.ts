import pc from 'picocolors';

/** A stream that takes text, or bytes of text: a process's, or a test's. */
export interface Sink {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What a run reads and writes, except files. */
export interface Console {
  readonly stdin: AsyncIterable<unknown> & { readonly isTTY?: boolean };
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The current folder. Its package.json may name more formats. */
  readonly cwd: string;
  /** The app's own file, with which it starts itself in a new process. When absent, all work runs in this process. */
  readonly script?: string;
}

/** The colours for a sink. Only terminals have colours, and none when NO_COLOR is set. */
export function coloursFor(sink: Sink, env: Console['env']): ReturnType<typeof pc.createColors> {
  return pc.createColors(sink.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb');
}

/** The line width for a sink. A file or a pipe gets 120 columns, which whole tables fit into. */
export function widthOf(sink: Sink, env: Console['env']): number {
  const fromEnvironment = Number(env.COLUMNS);
  if (sink.isTTY === true && sink.columns !== undefined && sink.columns > 0) return sink.columns;
  return Number.isInteger(fromEnvironment) && fromEnvironment > 0 ? fromEnvironment : 120;
}
