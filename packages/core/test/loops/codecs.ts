import type { AddressCodec } from '../../src/address-codec.js';
import { compileAddress } from '../../src/format/compile-address.js';
import { arm64 } from '../formats/arm64.js';
import { riscv64 } from '../formats/riscv64.js';
import { x86 } from '../formats/x86.js';

/** How an architecture writes frames into entries, and which frames fit. */
export interface Codec {
  readonly name: string;
  readonly address: AddressCodec;
  readonly limit: number;
}

/** One contiguous field, a field from bit 10 on, and fields with their top bits elsewhere (LPA, LPA2). */
export const codecs: readonly Codec[] = [
  x86(4, 46),
  x86(5, 52),
  arm64({ granule: 4, vaBits: 48 }),
  arm64({ granule: 4, vaBits: 52, large: true }),
  arm64({ granule: 16, vaBits: 52, large: true }),
  arm64({ granule: 64, vaBits: 52, large: true }),
  arm64({ granule: 64, vaBits: 48 }),
  riscv64(4),
].map((format) => ({
  name: format.name,
  address: compileAddress(format.address, format.pageShift),
  limit: 2 ** (format.paBits - format.pageShift),
}));
