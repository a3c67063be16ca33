/** 16 digits with 0x, as all addresses of the page are written. */
export function hex(value: bigint): string {
  return `0x${value.toString(16).padStart(16, '0')}`;
}

const UNITS = ['bytes', 'K', 'M', 'G', 'T', 'P', 'E'] as const;

/** Bytes in the largest unit, with at most one digit behind the point: `64K`, `1.5M`. */
export function bytesText(bytes: bigint | number): string {
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const rounded = Math.round(value * 10) / 10;
  return unit === 0 ? `${rounded} ${UNITS[0]}` : `${rounded}${UNITS[unit]}`;
}

/** A number with separators. */
export function count(value: number): string {
  return value.toLocaleString('en');
}

/** A number and its noun. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A fault as its processor names it, with the code in hexadecimal digits, for all architectures alike. */
export function faultText({
  code: { name, code },
}: {
  readonly code: { readonly name: string; readonly code: number };
}): string {
  return `${name} 0x${code.toString(16)}`;
}

/** `rwx`, with `-` for what is not allowed. */
export function rightsText({
  read,
  write,
  execute,
}: {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
}): string {
  return `${read ? 'r' : '-'}${write ? 'w' : '-'}${execute ? 'x' : '-'}`;
}
