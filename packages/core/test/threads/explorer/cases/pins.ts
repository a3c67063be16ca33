import type { ThreadBody, ThreadCase } from '../thread-case.js';
import { attach, expect, groupCase, notesOf } from './group.js';

/** The area that a thread is freeing; 0 for none. */
const CLOSING = 0;
/** 1 once the log says that the area is freed. */
const FREED = 1;
/** Pages of the area that are mapped. */
const MAPPED = 2;
const AREA = 7;

/** Maps a page of the area, unless it is freed. */
function mapping(rounds: number): ThreadBody {
  return (shared, thread) => {
    const group = attach(shared, thread);
    const notes = notesOf(shared);
    const map = () => {
      group.pin(AREA);
      try {
        if (Atomics.load(notes, CLOSING) === AREA) return 'EBUSY';
        if (Atomics.load(notes, FREED) === 1) return 'EINVAL';
        Atomics.add(notes, MAPPED, 1);
        return 'mapped';
      } finally {
        group.pin(0);
      }
    };
    return () => Array.from({ length: rounds }, map).join(' ');
  };
}

/** Frees the area, unless a call of another thread maps in it: finds what is mapped, and gives it back. */
const freeing: ThreadBody = (shared, thread) => {
  const group = attach(shared, thread);
  const notes = notesOf(shared);
  return () => {
    Atomics.store(notes, CLOSING, AREA);
    try {
      if (group.isPinned(AREA)) return 'EBUSY';
      Atomics.store(notes, MAPPED, 0);
      Atomics.store(notes, FREED, 1);
      return 'freed';
    } finally {
      Atomics.store(notes, CLOSING, 0);
    }
  };
};

function finish(shared: readonly SharedArrayBuffer[], outcomes: readonly string[]): void {
  const [closing, isFreed, mapped] = notesOf(shared) as unknown as [number, number, number];
  if (isFreed === 1) expect(mapped === 0, 'a page is mapped in an area that was freed');
  expect(closing === 0, 'the area is still announced');
  if (!outcomes.includes('freed')) expect(isFreed === 0, 'the area is freed, and nobody says so');
}

const pinning = (threads: readonly ThreadBody[], mortal: readonly number[] = []): ThreadCase =>
  groupCase({ threads, mortal, finish });

export const cases: Record<string, ThreadCase> = {
  'one maps, one frees': pinning([mapping(2), freeing]),
  'two map, one frees': pinning([mapping(1), mapping(1), freeing]),
  'one maps and dies, one frees': pinning([mapping(2), freeing], [0]),
};
