import type { AddressCodec } from '../address-codec.js';
import { VmError } from '../errors.js';
import type { AddressField } from './entry.js';

/**
 * Compiles address fields.
 *
 * @param fields - of a format; bits must not overlap.
 * @param pageShift - log2 of the base page in bytes.
 * @throws VmError `EINVAL` when fields overlap or lie outside 64 bits, or when the low 32 pfn bits are not
 *   one contiguous field (no known architecture needs that).
 */
export function compileAddress(fields: readonly AddressField[], pageShift: number): AddressCodec {
  // [entry word * 2 + pfn word]
  const rotate = [-1, -1, -1, -1];
  const masks = [0, 0, 0, 0];
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
      const pair = (from >> 5) * 2 + (to >> 5);
      const by = (from - to) & 31;
      if (rotate[pair] !== -1 && rotate[pair] !== by) throw bad(field, 'the field is in too many pieces');
      rotate[pair] = by;
      masks[pair] |= 1 << (from & 31);
    }
  }
  const [lowLoRotate, highLoRotate, lowHiRotate, highHiRotate] = rotate as [number, number, number, number];
  if (lowLoRotate !== -1 && lowHiRotate !== -1 && lowLoRotate !== lowHiRotate) {
    throw new VmError('EINVAL', 'bits 31..0 of the pfn stand in two separate fields of the entry');
  }
  const [lowLo, highLo, lowHi, highHi] = masks as [number, number, number, number];
  return Object.freeze({
    lowRotate: Math.max(lowLoRotate, lowHiRotate, 0) | 0,
    lowLo,
    lowHi,
    highLoRotate: Math.max(highLoRotate, 0) | 0,
    highLo,
    highHiRotate: Math.max(highHiRotate, 0) | 0,
    highHi,
  });
}

function bad(field: AddressField, why: string): VmError {
  return new VmError(
    'EINVAL',
    `address field { entryBit: ${field.entryBit}, paBit: ${field.paBit}, width: ${field.width} }: ${why}`,
  );
}
