import { type Access, choiceOption } from '@vmarea/core';

/**
 * The six accesses that rights tell apart, each with a number: read, write, execute by the kernel, then the same by user mode.
 * A set of them is a mask, with bit `n` for access `n`.
 */
export const ACCESSES: readonly Access[] = /* @__PURE__ */ Object.freeze(
  [false, true].flatMap((user) =>
    (['read', 'write', 'execute'] as const).map((kind) => Object.freeze({ kind, user })),
  ),
);

/** Numbers of the accesses by the kernel. Those by user mode follow. */
export const READ = 0;
export const WRITE = 1;
const EXECUTE = 2;
/** What user mode adds to a number. */
export const USER = 3;

/** The number of an access. */
export function accessNumber(kind: Access['kind'], user: boolean): number {
  const number =
    kind === 'read' ? READ : kind === 'write' ? WRITE : kind === 'execute' ? EXECUTE : refuse(kind);
  return user ? number + USER : number;
}

function refuse(kind: unknown): never {
  choiceOption({ kind }, 'kind', ['read', 'write', 'execute']);
  throw new Error('unreachable');
}
