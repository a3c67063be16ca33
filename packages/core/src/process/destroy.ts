import { takePages } from '../table/change/remove/take.js';
import { contextBehind } from '../table/state/registry.js';
import { countedIn, letGo, letGoOf } from './pages.js';
import type { ProcessThreads } from './process-list.js';
import type { ProcessSpace } from './process-space.js';

/**
 * `exit_mmap`: one flush, then every frame goes back that nobody else has, and `close` is called for each region.
 *
 * Where threads share the process, its pages go first, then its regions are closed, then its tables go: until `close` another thread may
 * unmap pages of it.
 */
export function destroy(space: ProcessSpace): void {
  if (space.threads !== null) {
    destroyShared(space, space.threads);
    return;
  }
  const regions = space.list.all;
  space.lock.change(() => {
    const counted = regions.flatMap((region) => countedIn(space, [region], region.first, region.end));
    space.destroyTables();
    forget(space);
    letGo(counted);
    space.half.remove(space);
  });
  space.close(regions);
}

function destroyShared(space: ProcessSpace, threads: ProcessThreads): void {
  const { list, half, lock } = space;
  let error: unknown = null;
  lock.change(() => {
    const regions = list.all;
    space.requireKnown(regions);
    if (regions.length > 0) {
      // All of them: a call that died may have left some that are in no region.
      letGoOf(space, regions, takePages(space.table, [{ first: 0, pages: space.taskPages }], false));
      forget(space);
      list.isChanged = true;
      threads.publish();
      try {
        space.close(regions);
      } catch (first) {
        error = first;
      }
    }
    half.list.locked(() =>
      // Another death ends the call here, or not at all: the process is then whole without regions, and a second call ends it.
      threads.alone(() => {
        // First of all: a thread that dies in here leaves tables that nobody may use.
        threads.close();
        // Others may have the table, and let go of it: its root waits for them.
        contextBehind(space.table).isSharedOut = false;
        space.destroyTables();
        half.list.remove(space);
        half.settle();
      }),
    );
  });
  if (error !== null) throw error;
}

function forget({ list }: ProcessSpace): void {
  for (const region of list.all) {
    region.isLive = false;
    region.object?.unlink(region);
  }
  list.all = [];
}
