import type { LinuxPolicy } from '../../format/linux-policy.js';
import type { LevelPlan } from '../../format/plan.js';
import type { Space } from '../../space/space.js';
import { contextBehind } from '../../table/state/registry.js';
import { halfOver } from '../kernel-half.js';
import { processLists } from '../process-list.js';
import type { ProcessSharing } from './process-sharing.js';
import { ProcessesPart } from './processes-part.js';
import { LIST_BYTES, SharedList } from './shared-list.js';
import { openProcess } from './shared-process.js';

/**
 * Begins the list of processes of a kernel that several threads use, in this thread. Its root gets no leaves from now on: another thread may
 * make a process at any time, and its copy of the root must not change.
 *
 * @param buffer - the list that another thread has made.
 */
export function openProcesses(
  space: Space & { readonly linux: LinuxPolicy },
  sharing: ProcessSharing,
  buffer: SharedArrayBuffer = new SharedArrayBuffer(LIST_BYTES),
): void {
  const { user } = space.linux;
  if (user === undefined) return;
  const list = new SharedList(space, user, sharing, buffer, openProcess);
  processLists.set(space, list);
  const half = halfOver(space, space.linux, user);
  space.users = half;
  sharing.addPart(new ProcessesPart(half, list));
  space.leafLimit = (contextBehind(space.table).plan.levels[0] as LevelPlan).shift;
}

/** The list of a kernel's processes, for another thread; `null` for a kernel whose policy knows no processes. */
export function describeProcesses(space: Space): SharedArrayBuffer | null {
  const list = processLists.get(space);
  return list instanceof SharedList ? (list.words.buffer as SharedArrayBuffer) : null;
}

/** Gives this thread a table of each process, so that a recovery finds what its calls have left in them. */
export function adoptTables(space: Space): void {
  const list = processLists.get(space);
  if (!(list instanceof SharedList)) return;
  list.sweep();
  list.each((asid) => list.tableAt(asid));
}
