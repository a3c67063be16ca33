import type { Access } from '@vmarea/core';
import type { RangeFilter } from '../../look/calls.js';
import { parseAddress } from '../shared/hash.js';

/** What a link names beside the dump. */
export interface Wanted {
  readonly root: bigint | null;
  readonly format: string | null;
  readonly va: bigint | null;
  readonly level: number | null;
  readonly access: Access | null;
  /** Modes of the processor that are not as the root has them. */
  readonly controls: Readonly<Record<string, boolean>>;
  /** Which ranges are listed. */
  readonly filter: RangeFilter;
}

/** A link that names nothing. */
export const NOTHING: Wanted = {
  root: null,
  format: null,
  va: null,
  level: null,
  access: null,
  controls: {},
  filter: {},
};

/** Reads the parameters of a link. What is none is left out. */
export function wantedBy(params: ReadonlyMap<string, string>): Wanted {
  const level = params.get('level') ?? '';
  return {
    root: parseAddress(params.get('root') ?? ''),
    format: params.get('format') ?? null,
    va: parseAddress(params.get('va') ?? ''),
    level: /^\d$/.test(level) ? Number(level) : null,
    access: accessOf(params.get('access')),
    controls: controlsOf(params.get('modes') ?? ''),
    filter: filterOf(params),
  };
}

/** Members of a filter that are yes or no. */
const FLAGS = ['writable', 'executable', 'user'] as const;

/** The parameters that name a filter. */
export function filterParams(filter: RangeFilter): Readonly<Record<string, string | number | null>> {
  const flags = FLAGS.map(
    (name) => [name, filter[name] === undefined ? null : filter[name] ? 'yes' : 'no'] as const,
  );
  return { ...Object.fromEntries(flags), size: filter.leafBytes ?? null, region: filter.region ?? null };
}

function filterOf(params: ReadonlyMap<string, string>): RangeFilter {
  const flags = FLAGS.flatMap((name) => {
    const text = params.get(name);
    return text === 'yes' || text === 'no' ? [[name, text === 'yes'] as const] : [];
  });
  const size = Number(params.get('size') ?? Number.NaN);
  const region = params.get('region');
  return {
    ...Object.fromEntries(flags),
    ...(Number.isSafeInteger(size) && size > 0 ? { leafBytes: size } : {}),
    ...(region === undefined ? {} : { region }),
  };
}

/** The parameter that names modes: `wp:no,nxe:yes`; `null` for none. */
export function modesParam(controls: Readonly<Record<string, boolean>>): string | null {
  const modes = Object.entries(controls).map(([name, value]) => `${name}:${value ? 'yes' : 'no'}`);
  return modes.length === 0 ? null : modes.join(',');
}

function controlsOf(text: string): Readonly<Record<string, boolean>> {
  return Object.fromEntries(
    [...text.matchAll(/(?:^|,)(\w+):(yes|no)(?=,|$)/g)].map(([, name = '', value]) => [
      name,
      value === 'yes',
    ]),
  );
}

/** An access as a link names it. */
export function accessName({ kind, user }: Access): string {
  return `${kind}-${user ? 'user' : 'kernel'}`;
}

function accessOf(text: string | undefined): Access | null {
  const [, kind, who] = /^(read|write|execute)-(user|kernel)$/.exec(text ?? '') ?? [];
  return kind === undefined ? null : { kind: kind as Access['kind'], user: who === 'user' };
}
