/** Random numbers of one thread: the same for the same seed. */
export interface Random {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
}

/** One kind of call of a stress test. */
export interface Operation {
  readonly name: string;
  /** How often it is chosen, beside the others. */
  readonly weight: number;
  /** Makes the call, and looks at what it gives. An error is a failure, but for `EOWNERDEAD`. */
  run(): void;
}

/** What is stressed, as one thread sees it. */
export interface Station {
  readonly operations: readonly Operation[];
  /** A quiescent point. Called now and then, and before the thread pauses. */
  quiesce(): void;
  /** The thread has done all its operations: it gives back what it holds. False when it must call again. */
  leave(): boolean;
}

/** Makes a station from a description that an `Arena` gave. */
export type Attach = (description: unknown, random: Random) => Station;

/** What is stressed, as the thread sees it that starts and ends the others. */
export interface Arena {
  /** The description for one more thread. */
  invite(): unknown;
  /** Says that the thread of a description died. */
  declareDead(description: unknown): void;
  /**
   * Mends what threads left that died. Others work beside it.
   *
   * @returns what they left unfinished, in a word each.
   */
  recover(): readonly string[];
  /** Looks at everything while nobody works. Throws when something is wrong. */
  account(): void;
}

/** SplitMix32: a small generator whose numbers pass the usual tests. */
export function randomOf(seed: number): Random {
  let state = seed | 0;
  return {
    below(limit) {
      state = (state + 0x9e3779b9) | 0;
      let z = state ^ (state >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      z ^= z >>> 15;
      return (z >>> 0) % limit;
    },
  };
}
