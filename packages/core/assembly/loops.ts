// The module: what both binaries export. `RunLoops` says what each function does; addresses are in bytes here.
export { change, clear, copy } from './change';
export { findEntry, findEntry4 } from './find-entry';
export { countLive, firstDifference, firstLive, lastLive, matching } from './scan';
export { walkMany } from './walk-many';
export { writeLinear, writeNarrow, writeWide } from './write';
