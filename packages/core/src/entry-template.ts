import type { AddressCodec } from './address-codec.js';

/** An entry without its frame: what the entries of a run have in common. */
export interface EntryTemplate {
  /** Bits 31..0 of the entry beside its address, as a signed word. */
  readonly lo: number;
  /** Bits 63..32 of the entry beside its address, as a signed word. */
  readonly hi: number;
  /** Where the bits of a frame stand in the entry. */
  readonly address: AddressCodec;
  /** Frames at or above it do not fit. */
  readonly pfnLimit: number;
}
