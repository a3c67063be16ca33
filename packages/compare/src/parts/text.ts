/** A number with thousands separators: `262,144`. */
export function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** A number with a fixed number of decimals: `3.03`. */
export function decimal(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Bytes for people: `184 bytes`, `32 KiB`, `1.2 MiB`, `16 GiB`. */
export function bytesText(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'] as const;
  if (Math.abs(bytes) < 1024) return `${count(bytes)} bytes`;
  let value = bytes / 1024;
  let unit = 0;
  // 1023.95 would print as 1,024.0.
  while (Math.abs(value) >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${decimal(value, Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : 1)} ${units[unit]}`;
}

/** A page size as Linux writes it: `4K`, `2M`. */
export function pageText(bytes: number): string {
  return bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}M` : `${bytes / 1024}K`;
}

/** A number and its noun: `1 page`, `262,144 pages`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}
