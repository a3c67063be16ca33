import { type Manual, suite } from '@vmarea/conformance';
import { test } from 'vitest';
import { X86_BITS as B, configurations } from '../src/index.js';

/** SDM vol. 3A, Paging: "Determination of Access Rights", "Accessed and Dirty Flags", "Page-Fault Exceptions". */
const manual: Manual = {
  breaks: [],
  tables: [
    { bits: B.RW, value: 0n, forbids: ['kernel write', 'user write'] },
    { bits: B.US, value: 0n, forbids: ['user read', 'user write', 'user execute'] },
    { bits: B.NX, value: B.NX, forbids: ['kernel execute', 'user execute'] },
  ],
  tableUse: B.A,
  reserved: [{ in: 'table', level: 'PGD', bits: B.PS }],
  faults: ['kind', 'access', 'side'],
};

for (const configuration of configurations) suite(test, () => configuration, { manual });
