import type { Target } from '../target.js';
import { arm64Target } from './arm64.js';
import { riscv64Target } from './riscv64.js';
import { x8664Target } from './x86-64.js';

/** All targets. A new architecture needs a line here. */
export const TARGETS: readonly Target[] = [arm64Target, riscv64Target, x8664Target];
