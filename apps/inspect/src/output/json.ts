import { hex } from '@vmarea/core';

/** A value as one line of JSON. Bigints are text: `0x` and 16 digits. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value, plain);
}

/** A value as a document of JSON for people, too. */
export function documentOf(value: unknown): string {
  return JSON.stringify(value, plain, 2);
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? hex(value) : value;
}
