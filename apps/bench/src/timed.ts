/** Nanoseconds that an action takes. */
export function timed(action: () => void): number {
  const start = performance.now();
  action();
  return (performance.now() - start) * 1e6;
}
