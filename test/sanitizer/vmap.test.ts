import { FlushSanitizer } from '@vmarea/mmu';
import { describe, expect, test } from 'vitest';
import { runHostile } from '../vmap/hostile/run.js';
import type { Watch } from '../vmap/hostile/world.js';

/*
 * The hostile calls of every family of Linux's vmap API, with a sanitizer behind the address space: callbacks that call back,
 * sinks that throw, frames that run out. Linux frees frames before the purge flushes: that is `lazy`, and nothing else is found.
 */

const { VMAREA_CALLS, VMAREA_SEED } = process.env;
const CALLS = Number(VMAREA_CALLS ?? 1500);
const SEED = Number(VMAREA_SEED ?? 7);

describe(`hostile calls, from seed ${SEED} on`, () => {
  test.each(['x86-64', 'x86-64-la57', 'arm64-4k-48-cont', 'arm64-16k-47-cont', 'riscv64-sv39-napot'])(
    'leave stale only what waits for a purge, on %s',
    (name) => {
      const sanitizers: FlushSanitizer[] = [];
      const lazy = new Map<string, number>();
      let events = 0;
      const watch: Watch = (memory, frames) => {
        const sanitizer = new FlushSanitizer({
          ...{ memory, frames, most: 1_000_000 },
          onReport: (one) =>
            lazy.set(`${one.class} ${one.code}`, (lazy.get(`${one.class} ${one.code}`) ?? 0) + 1),
        });
        sanitizers.push(sanitizer);
        return {
          // A sink that throws has forgotten nothing, and the engine cannot help that: here it throws after it has.
          sink: (target) => {
            const own = sanitizer.sink();
            return {
              ...own,
              flush: (...flush) => {
                own.flush(...flush);
                target.flush(...flush);
              },
            };
          },
          begin: (kernel) => sanitizer.watch({ table: kernel.table }),
          check: () => {
            sanitizer.checkpoint();
            const { errors } = sanitizer;
            if (errors.length > 0) throw new Error(errors.join('\n'));
          },
        };
      };
      const report = runHostile(name, { calls: CALLS, seed: SEED, walkEvery: 50 }, watch);
      for (const sanitizer of sanitizers) {
        events += sanitizer.events;
        expect(sanitizer.windows()).toEqual([]);
      }
      if (VMAREA_CALLS !== undefined) console.log(name, report.calls, 'calls', events, 'events', [...lazy]);
      expect(report.successes).toBeGreaterThan(CALLS / 3);
      expect([...lazy.keys()].sort()).toEqual(['lazy frame-freed', 'lazy frame-reused']);
    },
    3_600_000,
  );
});
