// The module: what both binaries export. `RunKernels` says what each function does; addresses are in bytes here.
export { change, clear, copy } from './change';
export { countLive, firstDifference, firstLive, lastLive, matching } from './scan';
export { walkMany } from './walk-many';
export { findEntry, findEntry4 } from './find-entry';
export { writeLinear, writeNarrow, writeWide } from './write';
