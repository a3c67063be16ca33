const MOST_ITEMS = 12;

/** A value as Node's console writes it, short: `[ { bytes: 4096, count: 3 } ]`. */
export function valueText(value: unknown, depth = 0): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `[Function: ${value.name}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Error) return value.message;
  if (depth > 3) return Array.isArray(value) ? '[Array]' : '[Object]';
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return listText(value as readonly unknown[], depth);
  const name = value.constructor?.name;
  if (name !== undefined && name !== 'Object') return String(value).split('\n')[0] ?? name;
  const parts = Object.entries(value).map(([key, item]) => `${key}: ${valueText(item, depth + 1)}`);
  return parts.length === 0 ? '{}' : `{ ${parts.slice(0, MOST_ITEMS).join(', ')} }`;
}

function listText(list: readonly unknown[], depth: number): string {
  if (list.length === 0) return '[]';
  const shown = Array.from(list.slice(0, MOST_ITEMS), (item) => valueText(item, depth + 1));
  const more = list.length - shown.length;
  return `[ ${shown.join(', ')}${more > 0 ? `, ... ${more} more items` : ''} ]`;
}

/** An argument of a call: addresses as hexadecimal numbers, lists by their length. */
export function argumentText(value: unknown): string {
  if (typeof value === 'bigint') return value >= 4096n ? `0x${value.toString(16)}` : `${value}n`;
  if (typeof value === 'function') return '() => …';
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const list = value as readonly unknown[];
    return list.length <= 4 ? `[${Array.from(list, argumentText).join(', ')}]` : `[${list.length} items]`;
  }
  if (typeof value !== 'object' || value === null) return valueText(value);
  if (value.constructor?.name !== 'Object') return '…';
  const parts = Object.entries(value).map(([key, item]) => `${key}: ${argumentText(item)}`);
  return parts.length === 0 ? '{}' : `{ ${parts.slice(0, 4).join(', ')}${parts.length > 4 ? ', …' : ''} }`;
}
