import { configurations as arm64 } from '@vmarea/arm64';
import { attach, VmError, wasmLoops } from '@vmarea/core';
import { configurations as riscv64 } from '@vmarea/riscv64';
import { configurations as x8664 } from '@vmarea/x86-64';
import type { Random, Station } from '../../../packages/core/test/threads/stress/station.js';
import { Holdings, OPERATIONS, tidy } from './operations.js';
import type { Invitation } from './plan.js';

/** Every configuration that a stress test can run. */
export const configurations = [...x8664, ...arm64, ...riscv64];

/** Makes a thread's part of the stress test of an address space. */
export function attachStation(given: unknown, random: Random): Station {
  const invitation = given as Invitation;
  const found = configurations.find(({ name }) => name === invitation.configuration);
  if (found === undefined) throw new Error(`no configuration ${invitation.configuration}`);
  const { format, linux } = found;
  const shared = attach(invitation.description, { formats: [format], policies: [linux], loops: wasmLoops });
  const own = new Holdings(shared, invitation, random);
  let isTidy = false;
  return {
    operations: Object.entries(OPERATIONS).map(([name, { weight, refusals = [], run }]) => ({
      name,
      weight,
      run() {
        try {
          run(own);
        } catch (error) {
          if (error instanceof VmError && (error.code === 'EOWNERDEAD' || refusals.includes(error.code))) {
            if (error.code === 'EOWNERDEAD') throw error;
            return;
          }
          throw new Error(`lane ${own.lane}, ${name}`, { cause: error });
        }
      },
    })),
    quiesce: () => shared.threads.quiesce(),
    leave() {
      if (!isTidy) tidy(own);
      isTidy = true;
      shared.threads.quiesce();
      if (shared.threads.pending > 0) return false;
      shared.threads.leave();
      return true;
    },
  };
}
