import pc from 'picocolors';

/** Something text can be written to: a process stream, or a test's. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** The surroundings of a run. Everything that the app reads or writes besides files goes through here. */
export interface Console {
  readonly stdin: AsyncIterable<unknown> & { readonly isTTY?: boolean };
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Current folder: its package.json may name further formats. */
  readonly cwd: string;
  /** The app's own file, by which it starts itself in a fresh process. Absent: everything happens in this one. */
  readonly script?: string;
}

/** Colours of a sink: none unless it is a terminal and NO_COLOR is unset. */
export function coloursFor(sink: Sink, env: Console['env']): ReturnType<typeof pc.createColors> {
  return pc.createColors(sink.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb');
}

/** Width that text for a sink should keep to; a file or pipe gets room for whole tables. */
export function widthOf(sink: Sink, env: Console['env']): number {
  const fromEnvironment = Number(env.COLUMNS);
  if (sink.isTTY === true && sink.columns !== undefined && sink.columns > 0) return sink.columns;
  return Number.isInteger(fromEnvironment) && fromEnvironment > 0 ? fromEnvironment : 120;
}
