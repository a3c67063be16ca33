import { VmError } from '@vmarea/core';
import { type Host, Moved, serve } from '../messages/serve.js';
import { viewBeside } from './beside.js';
import type { LookCalls } from './calls.js';
import { Dump } from './dump.js';
import { CONFIGURATIONS, configurationOf } from './formats.js';
import { viewWalk } from './walk-view.js';

/** One worker has one dump. A page that opens another one starts another worker, so that a file that is none changes nothing. */
let open: Dump | null = null;

function dump(): Dump {
  if (open === null) throw new VmError('EINVAL', 'no dump is open');
  return open;
}

serve<LookCalls>(globalThis as unknown as Host, {
  open: async (ask, progress) => {
    open = await Dump.open(ask, progress);
    return open.info;
  },
  choose: (choice) => dump().choose(choice, CONFIGURATIONS),
  processes: () => dump().processes(),
  table: ({ va, level }) => dump().table(va, level),
  walk: ({ va, access, controls }) => {
    const { chosen, layout } = dump().chosen;
    return viewWalk(dump().image.memory, chosen.table, va, {
      regions: layout.regions,
      access,
      controls: { ...chosen.controls, ...controls },
    });
  },
  formats: () => CONFIGURATIONS.map(({ name, title }) => ({ name, title })),
  beside: ({ va, access, format }) => {
    const configuration = configurationOf(format);
    if (configuration === null) throw new VmError('EINVAL', `no format is called ${JSON.stringify(format)}`);
    return viewBeside(dump().chosen.chosen.table, va, access, configuration);
  },
  list: async (filter, progress) => {
    const answer = await dump().list(filter, progress);
    const { va, bytes, pa, kinds, marks, shifts, memories, regions } = answer.rows;
    return new Moved(
      answer,
      [va, bytes, pa, kinds, marks, shifts, memories, regions].map(({ buffer }) => buffer),
    );
  },
  reading: () => dump().reading,
});
