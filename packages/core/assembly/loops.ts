// The exports of both binaries. `RunLoops` documents each function. Addresses here are in bytes.
export { change, clear, copy } from './change';
export { findEntry, findEntry4 } from './find-entry';
export { countLive, firstDifference, firstLive, lastLive, matching } from './scan';
export { walkMany } from './walk-many';
export { writeLinear, writeNarrow, writeWide } from './write';
