import { compareLayout, pageSizeText } from '@vmarea/compare';
import { CONFIGURATIONS } from '../look/formats.js';
import { type Host, serve } from '../messages/serve.js';
import type { CompareCalls } from './calls.js';

/** Of each architecture and page size the one that most machines run. */
const COMMON: ReadonlySet<string> = new Set([
  'x86-64',
  'x86-64-la57',
  'arm64-4k-48-cont',
  'arm64-16k-47-cont',
  'arm64-64k-48-cont',
  'riscv64-sv39',
  'riscv64-sv48-napot',
]);

serve<CompareCalls>(globalThis as unknown as Host, {
  compare: async ({ text, name, skipBad, isAll, only }, tell) => {
    const all = CONFIGURATIONS.filter((one) => isAll || COMMON.has(one.name));
    const one = all.filter(({ name: format }) => format === only);
    const formats = one.length > 0 ? one : all;
    const progress = (done: number, total: number, what: string): void =>
      tell({ what, share: total === 0 ? null : done / total });
    const comparison = await compareLayout(text, { formats, name, skipBad, progress });
    const isPart = one.length > 0;
    return { comparison, isPart, sentence: isPart ? '' : pageSizeText(comparison) };
  },
});
