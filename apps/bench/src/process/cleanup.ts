/*
 * What must not outlive this process: its children and its temporary folders.
 *
 * Signals are caught only while there is something to clean up. Without a handler a signal ends the process at
 * once, also in the middle of a long loop, in which no handler could run.
 */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const actions = new Set<() => void>();

/**
 * Does something when the process ends: by itself, by an error, or by a signal.
 *
 * @param action - runs synchronously, once.
 * @returns a function that cancels the action.
 */
export function onExit(action: () => void): () => void {
  if (actions.size === 0) listen();
  // A wrapper, so that the same function can be given twice.
  const one = (): void => action();
  actions.add(one);
  return () => {
    if (actions.delete(one) && actions.size === 0) unlisten();
  };
}

function listen(): void {
  process.on('exit', cleanUp);
  for (const signal of SIGNALS) process.on(signal, endBy);
}

function unlisten(): void {
  process.off('exit', cleanUp);
  for (const signal of SIGNALS) process.off(signal, endBy);
}

/** The last first: children end before the folders that they write to are removed. */
function cleanUp(): void {
  for (const action of [...actions].reverse()) {
    actions.delete(action);
    try {
      action();
    } catch {
      // The others must run all the same; nobody is left to tell.
    }
  }
}

/** Cleans up and ends the process by a signal, so that a shell sees what ended it. */
export function endBy(signal: NodeJS.Signals): void {
  cleanUp();
  unlisten();
  // Node ignores SIGPIPE until a handler comes and goes.
  process.on(signal, cleanUp);
  process.off(signal, cleanUp);
  process.kill(process.pid, signal);
}
