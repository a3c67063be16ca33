/** A source of random numbers. The same seed gives the same sequence on every machine. */
export interface Random {
  /** A whole number from 0 to `below - 1`; `below` is at most 2 ** 53. */
  next(below: number): number;
}

/** Marsaglia's xorshift with 32 bits of state. Each number takes two draws. */
export function random(seed: number): Random {
  // Xorshift never leaves state 0.
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  const draw = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  for (let i = 0; i < 8; i++) draw();
  return {
    next: (below) => Math.floor(((draw() >>> 6) * 2 ** 27 + (draw() >>> 5)) * 2 ** -53 * below),
  };
}
