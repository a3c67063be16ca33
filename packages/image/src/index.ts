/**
 * Memory dumps as they are: containers, notes, and the roots of their page tables.
 *
 * @packageDocumentation
 */
export type { ContainerKind, PageState } from './containers/contents.js';
export type { RawPiece } from './containers/raw.js';
export {
  type Image,
  type ImageContainer,
  type ImageNote,
  type ImageOptions,
  type ImageRange,
  openImage,
} from './image.js';
export type { ProcessorState } from './notes/processors.js';
export type { Vmcoreinfo } from './notes/vmcoreinfo.js';
export type { RootCheck } from './roots/checks.js';
export { type FindRootsOptions, type FoundRoots, findRoots } from './roots/find-roots.js';
export type { Formats, MakeFormat } from './roots/formats.js';
export { findProcesses, type ProcessesOptions, type ProcessRoot } from './roots/processes.js';
export type { RootOrigin, RootRole } from './roots/proposal.js';
export type { RootCandidate } from './roots/root-candidate.js';
export type { Progress } from './roots/scan.js';
export {
  type BlobLike,
  blobSource,
  bytesSource,
  type FileCalls,
  fileSource,
  type Source,
} from './source/source.js';
