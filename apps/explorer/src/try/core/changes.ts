/** Functions that change many entries of tables at once. */
export { applyToExisting, applyToRange, collapseLeaves, prepareTables, splitLeaves } from '@vmarea/core';
