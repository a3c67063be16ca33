import { suite } from '@vmarea/conformance';
import { test } from 'vitest';
import { configurations } from '../src/index.js';
import { manual } from './manual.js';

for (const configuration of configurations) suite(test, () => configuration, { manual });
