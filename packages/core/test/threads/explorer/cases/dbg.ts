import type { ThreadBody, ThreadCase } from '../thread-case.js';
import { attach, codeOr, groupCase, notesOf } from './group.js';

function locking(): ThreadBody {
  return (shared, thread) => {
    const notes = notesOf(shared);
    const lock = attach(shared, thread).lock(notes, 0, 'the notes');
    return () =>
      codeOr(() => {
        lock.with(() => {});
        return 'done';
      });
  };
}
export const cases: Record<string, ThreadCase> = {
  three: groupCase({ threads: [locking(), locking(), locking()] }),
  'three d': groupCase({ threads: [locking(), locking(), locking()], mortal: [0] }),
};
