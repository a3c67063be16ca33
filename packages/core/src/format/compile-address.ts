import type { AddressCodec } from '../address-codec.js';
import { VmError } from '../errors.js';
import type { AddressField } from './entry.js';

/**
 * Checks that `compileAddress` can compile the fields of a format.
 *
 * @throws VmError `EINVAL` when fields overlap or lie outside 64 bits, or when the low 32 pfn bits are not
 *   one contiguous field (no known architecture needs that).
 */
export function checkFields(fields: readonly AddressField[], pageShift: number): void {
  const distances: (number | undefined)[] = [];
  const seen = new Set<string>();
  for (const field of fields) {
    for (let i = 0; i < field.width; i++) {
      const from = field.entryBit + i;
      const to = field.paBit - pageShift + i;
      if (from < 0 || from > 63 || to < 0 || to > 51) {
        throw bad(field, 'a bit is outside the entry or outside pfn bits 0 to 51');
      }
      if (seen.has(`e${from}`) || seen.has(`p${to}`)) throw bad(field, 'two fields share a bit');
      seen.add(`e${from}`).add(`p${to}`);
      const pair = pairOf(from, to);
      const by = (from - to) & 31;
      distances[pair] ??= by;
      if (distances[pair] !== by) throw bad(field, 'the field is in too many pieces');
    }
  }
  const [lowLo, , lowHi] = distances;
  if (lowLo !== undefined && lowHi !== undefined && lowLo !== lowHi) {
    throw new VmError('EINVAL', 'bits 31..0 of the pfn are in two separate fields of the entry');
  }
}

/**
 * Compiles address fields that `checkFields` accepts.
 *
 * @param fields - of a format.
 * @param pageShift - log2 of the base page in bytes.
 */
export function compileAddress(fields: readonly AddressField[], pageShift: number): AddressCodec {
  const rotate = [0, 0, 0, 0];
  const masks = [0, 0, 0, 0];
  for (const { entryBit, paBit, width } of fields) {
    for (let i = 0; i < width; i++) {
      const from = entryBit + i;
      const to = paBit - pageShift + i;
      const pair = pairOf(from, to);
      rotate[pair] = (from - to) & 31;
      masks[pair] |= 1 << (from & 31);
    }
  }
  const [lowLoRotate, highLoRotate, lowHiRotate, highHiRotate] = rotate as [number, number, number, number];
  const [lowLo, highLo, lowHi, highHi] = masks as [number, number, number, number];
  return Object.freeze({
    // Both words of the entry take the low bits of a pfn at one distance.
    lowRotate: lowLoRotate | lowHiRotate,
    lowLo,
    lowHi,
    highLoRotate,
    highLo,
    highHiRotate,
    highHi,
  });
}

/** `[entry word * 2 + pfn word]` of a bit. */
function pairOf(entryBit: number, pfnBit: number): number {
  return (entryBit >> 5) * 2 + (pfnBit >> 5);
}

function bad(field: AddressField, why: string): VmError {
  return new VmError(
    'EINVAL',
    `address field { entryBit: ${field.entryBit}, paBit: ${field.paBit}, width: ${field.width} }: ${why}`,
  );
}
