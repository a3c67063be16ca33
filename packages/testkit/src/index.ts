/**
 * What the tests of this repository share: page tables of real kernels, small machines, a model of a TLB, and text that failures are
 * read in. What a format's author may use too (the break watch, seeded random numbers, entries read from bytes) is in
 * `@vmarea/conformance`.
 *
 * @packageDocumentation
 */

export { ModelTlb, type OwedRanges } from './caches/model-tlb.js';
export { hex, pathOf } from './entries/text.js';
export { type ByteWalk, walkBytes } from './entries/walk-bytes.js';
export { codeOf, refusal, thrown } from './errors/refusals.js';
export { type Comparison, compareAreas, comparePages } from './guests/compare.js';
export { type Guest, type GuestName, guestNames, loadGuest, type RootName } from './guests/guest.js';
export { type Image, type ImageHeader, readImage } from './guests/image.js';
export { type LeafRow, readLeaves } from './guests/leaves.js';
export { type GuestMachine, readMachine } from './guests/machine.js';
export { type PageRow, readPagemap } from './guests/pagemap.js';
export { fingerprint } from './machines/fingerprint.js';
export { type Flush, machine, type TestMachine } from './machines/machine.js';
export { wide } from './machines/wide.js';
export {
  hasMeaning,
  isFlag,
  isInteger,
  isOneOf,
  isRegister,
  type Legal,
  wrongsOf,
} from './options/wrong-options.js';
