import type { Access } from '@vmarea/core';
import { parseAddress } from '../shared/hash.js';

/** What a link names beside the dump. */
export interface Wanted {
  readonly root: bigint | null;
  readonly format: string | null;
  readonly va: bigint | null;
  readonly level: number | null;
  readonly access: Access | null;
}

/** A link that names nothing. */
export const NOTHING: Wanted = { root: null, format: null, va: null, level: null, access: null };

/** Reads the parameters of a link. What is none is left out. */
export function wantedBy(params: ReadonlyMap<string, string>): Wanted {
  const level = params.get('level') ?? '';
  return {
    root: parseAddress(params.get('root') ?? ''),
    format: params.get('format') ?? null,
    va: parseAddress(params.get('va') ?? ''),
    level: /^\d$/.test(level) ? Number(level) : null,
    access: accessOf(params.get('access')),
  };
}

/** An access as a link names it. */
export function accessName({ kind, user }: Access): string {
  return `${kind}-${user ? 'user' : 'kernel'}`;
}

function accessOf(text: string | undefined): Access | null {
  const [, kind, who] = /^(read|write|execute)-(user|kernel)$/.exec(text ?? '') ?? [];
  return kind === undefined ? null : { kind: kind as Access['kind'], user: who === 'user' };
}
