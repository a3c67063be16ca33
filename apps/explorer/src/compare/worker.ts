import { compareLayout, pageSizeText } from '@vmarea/compare';
import { CONFIGURATIONS } from '../look/formats.js';
import { type Host, serve } from '../messages/serve.js';
import type { CompareCalls } from './calls.js';

serve<CompareCalls>(globalThis as unknown as Host, {
  compare: async ({ text, name, skipBad }, tell) => {
    const progress = (done: number, total: number, what: string): void =>
      tell({ what, share: total === 0 ? null : done / total });
    const comparison = await compareLayout(text, { formats: CONFIGURATIONS, name, skipBad, progress });
    return { comparison, sentence: pageSizeText(comparison) };
  },
});
