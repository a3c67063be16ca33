import type { TestCase } from '../case.js';
import { alignShift, fixAlign, randomSizeAlign } from './aligned.js';
import { kvfreeRcu1, kvfreeRcu2 } from './deferred.js';
import { fullFit, longBusyList } from './holes.js';
import { vmMapRam } from './map-ram.js';
import { percpu } from './percpu.js';
import { vrealloc } from './resize.js';
import { fixSize, noBlock, randomSize } from './sizes.js';

/** The cases of lib/test_vmalloc.c in its order. Case `i` has bit `i` of run_test_mask. */
export const TEST_CASES: readonly TestCase[] = [
  fixSize,
  fullFit,
  longBusyList,
  randomSize,
  fixAlign,
  randomSizeAlign,
  alignShift,
  percpu,
  kvfreeRcu1,
  kvfreeRcu2,
  vmMapRam,
  noBlock,
  vrealloc,
];
