/** Runs an action and returns the nanoseconds that it takes. */
export function timed(action: () => void): number {
  const start = performance.now();
  action();
  return (performance.now() - start) * 1e6;
}
