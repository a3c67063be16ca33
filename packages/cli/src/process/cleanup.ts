/*
 * Ends children and removes temporary folders when this process ends.
 *
 * Signals have handlers only while there is something to clean up. A handler waits for the end of the running loop;
 * without one, a signal ends the process at once.
 */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const actions = new Set<() => void>();

/**
 * Runs an action when the process ends: by itself, by an error, or by a signal.
 *
 * @param action - must be synchronous. It runs once.
 * @returns a function that cancels the action.
 */
export function onExit(action: () => void): () => void {
  if (actions.size === 0) listen();
  // The wrapper allows the same function twice.
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

/** Runs the last action first: a child ends before its folder is removed. */
function cleanUp(): void {
  for (const action of [...actions].reverse()) {
    actions.delete(action);
    try {
      action();
    } catch {
      // The other actions must run too. Nobody reads a message now.
    }
  }
}

/** Cleans up, then ends the process by a signal, so that the shell sees the signal. */
export function endBy(signal: NodeJS.Signals): void {
  cleanUp();
  unlisten();
  // Node ignores SIGPIPE at first. Adding and removing a handler restores the default: to end.
  process.on(signal, cleanUp);
  process.off(signal, cleanUp);
  process.kill(process.pid, signal);
}
