import { attachArena } from '@vmarea/arena';
import { attach, VmError, wasmLoops } from '@vmarea/core';
import type { Random, Station } from '../../../../packages/core/test/threads/stress/station.js';
import { configurations } from '../station.js';
import { Holdings, OPERATIONS, tidy } from './operations.js';
import type { Invitation } from './plan.js';

/** Makes a thread's part of the stress test of an arena. */
export function attachArenaStation(given: unknown, random: Random): Station {
  const { description, arena: described, configuration, lane, owners } = given as Invitation;
  const found = configurations.find(({ name }) => name === configuration);
  if (found === undefined) throw new Error(`no configuration ${configuration}`);
  const { format, linux, userFormat } = found;
  const { kernel, first, second, threads } = attach(description, {
    formats: userFormat === undefined ? [format] : [format, userFormat],
    policies: [linux],
    loops: wasmLoops,
  });
  const arena = attachArena(kernel, described);
  const users = [first, second].map((by) => arena.view({ by }));
  const own = new Holdings(arena, users, owners, lane, 2 ** format.pageShift, random);
  let isTidy = false;
  return {
    operations: Object.entries(OPERATIONS).map(([name, { weight, run }]) => ({
      name,
      weight,
      run() {
        try {
          run(own);
        } catch (error) {
          if (error instanceof VmError && error.code === 'EOWNERDEAD') throw error;
          throw new Error(`lane ${lane}, ${name}`, { cause: error });
        }
      },
    })),
    quiesce: () => threads.quiesce(),
    leave() {
      if (!isTidy) tidy(own);
      isTidy = true;
      threads.quiesce();
      if (threads.pending > 0) return false;
      threads.leave();
      return true;
    },
  };
}
