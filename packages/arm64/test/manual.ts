import type { Manual } from '@vmarea/conformance';
import { ARM64_BITS as B } from '../src/index.js';

/** Arm ARM: D8.17 (break-before-make), D8.4 (hierarchical permissions), D24.2 (fault status codes). FEAT_HAFT is not modelled. */
export const manual: Manual = {
  breaks: ['size', 'run', 'frame', 'memory', 'global'],
  tables: [
    { bits: B.PXN_TABLE, value: B.PXN_TABLE, forbids: ['kernel execute'] },
    { bits: B.UXN_TABLE, value: B.UXN_TABLE, forbids: ['user execute'] },
    { bits: B.AP_TABLE_NO_USER, value: B.AP_TABLE_NO_USER, forbids: ['user read', 'user write'] },
    { bits: B.AP_TABLE_READ_ONLY, value: B.AP_TABLE_READ_ONLY, forbids: ['kernel write', 'user write'] },
  ],
  tableUse: 0n,
  faults: ['kind', 'level'],
};
