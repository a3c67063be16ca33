import { type Manual, suite } from '@vmarea/conformance';
import { test } from 'vitest';
import { RISCV_BITS as B, configurations } from '../src/index.js';

/** Privileged specification, "Virtual Address Translation Process" and the table of scause values: tables forbid nothing. */
const manual: Manual = {
  breaks: [],
  tables: [],
  tableUse: 0n,
  reserved: [
    { in: 'table', bits: B.D | B.A | B.U | B.N | B.PBMT | B.RESERVED },
    { in: 'leaf', bits: B.RESERVED },
  ],
  faults: ['access'],
};

for (const configuration of configurations) suite(test, () => configuration, { manual });
