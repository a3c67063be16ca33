import { attach, VmError, wasmLoops } from '@vmarea/core';
import type { Random, Station } from '../../../packages/core/test/threads/stress/station.js';
import { endProcesses, PROCESS_OPERATIONS, ProcessHoldings } from './process-operations.js';
import type { ProcessInvitation } from './process-plan.js';
import { configurations } from './station.js';

/** Makes a thread's part of the stress test of processes. */
export function attachProcesses(given: unknown, random: Random): Station {
  const invitation = given as ProcessInvitation;
  const found = configurations.find(({ name }) => name === invitation.configuration);
  if (found === undefined) throw new Error(`no configuration ${invitation.configuration}`);
  const { format, userFormat, linux } = found;
  const formats = userFormat === undefined ? [format] : [format, userFormat];
  const shared = attach(invitation.description, { formats, policies: [linux], loops: wasmLoops });
  const own = new ProcessHoldings(shared, invitation, random, userFormat);
  let isTidy = false;
  return {
    operations: Object.entries(PROCESS_OPERATIONS).map(([name, { weight, refusals = [], run }]) => ({
      name,
      weight,
      run() {
        try {
          run(own);
        } catch (error) {
          if (error instanceof VmError && error.code === 'EOWNERDEAD') throw error;
          if (error instanceof VmError && refusals.includes(error.code)) return;
          // What a thread says is its stack alone.
          throw new Error(`lane ${own.invitation.lane}, ${name}: ${(error as Error).stack}`);
        }
      },
    })),
    quiesce: () => shared.threads.quiesce(),
    leave() {
      if (!isTidy) endProcesses(own);
      isTidy = true;
      shared.threads.quiesce();
      if (shared.threads.pending > 0) return false;
      shared.threads.leave();
      return true;
    },
  };
}
