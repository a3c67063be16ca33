import { type Bundle, bundleCases, type Replacement } from './bundle.js';

const src = 'packages/core/src/';

/** A ring of two entries laps soon. */
const SMALL_RING: Replacement = {
  file: `${src}threads/layout.ts`,
  find: 'RING: number = 1024',
  replace: 'RING: number = 2',
};

/** Tables of eight entries, and few words to prepare for each execution. */
const SMALL_ROOMS: readonly Replacement[] = [
  { file: `${src}format/validate.ts`, find: 'pageShift !== 12 &&', replace: 'pageShift !== 6 &&' },
  { file: `${src}memory/bank.ts`, find: 'pageShift === 12 ||', replace: 'pageShift === 6 ||' },
  {
    file: `${src}memory/frames/frame-layout.ts`,
    find: 'CACHE_WORDS: number = 64',
    replace: 'CACHE_WORDS: number = 4',
  },
  { file: `${src}memory/frames/shared/shared-frames.ts`, find: 'BATCH = 32', replace: 'BATCH = 2' },
  { file: `${src}threads/layout.ts`, find: 'RING: number = 1024', replace: 'RING: number = 16' },
  {
    file: `${src}threads/layout.ts`,
    find: 'JOURNAL_WORDS: number = 16384',
    replace: 'JOURNAL_WORDS: number = 256',
  },
];

/** Areas in such pages. Who frees one looks once for a call that is in it, before it waits. */
const SMALL_AREAS: readonly Replacement[] = [
  { file: `${src}area/page-units.ts`, find: "'pageShift', 12, 16", replace: "'pageShift', 6, 16" },
  { file: `${src}vmap/shared/shared-space.ts`, find: 'LOOKS = 1000', replace: 'LOOKS = 1' },
];

/** Four asids, and regions in few words. */
const SMALL_PROCESSES: readonly Replacement[] = [
  { file: `${src}process/process-list.ts`, find: 'ASIDS: number = 65536', replace: 'ASIDS: number = 4' },
  {
    file: `${src}process/shared/layout.ts`,
    find: 'NAME_WORDS: number = 16384',
    replace: 'NAME_WORDS: number = 8',
  },
  {
    file: `${src}process/shared/layout.ts`,
    find: 'SPARE_REGIONS: number = 8',
    replace: 'SPARE_REGIONS: number = 2',
  },
  // The buffers of all executions are the same, their threads are not.
  {
    file: `${src}process/page-references.ts`,
    find: 'byState.get(ram.state)',
    replace: 'byState.get(ram.calls as any)',
  },
  {
    file: `${src}process/page-references.ts`,
    find: 'byState.set(ram.state,',
    replace: 'byState.set(ram.calls as any,',
  },
  // Of a process that a thread makes, nobody else learns in a case.
  {
    file: `${src}process/shared/shared-process.ts`,
    find: 'new SharedArrayBuffer(regionBytes(space.mostRegions))',
    replace:
      'new (globalThis.isExploring ? ArrayBuffer : SharedArrayBuffer)(regionBytes(space.mostRegions)) as any',
  },
];

/** What makes cases of processes small, and of what is built on them. */
export const SMALL_KERNEL: readonly Replacement[] = [...SMALL_ROOMS, ...SMALL_AREAS, ...SMALL_PROCESSES];

const smaller: Readonly<Record<string, readonly Replacement[]>> = {
  'flush-ring': [SMALL_RING],
  tables: SMALL_ROOMS,
  frames: SMALL_ROOMS,
  areas: [...SMALL_ROOMS, ...SMALL_AREAS],
  processes: SMALL_KERNEL,
};

/** The cases of one file in `cases/`, with what makes them small. */
export function casesOf(file: string, faults: readonly Replacement[] = []): Promise<Bundle> {
  return bundleCases(new URL(`./cases/${file}.ts`, import.meta.url), [...(smaller[file] ?? []), ...faults]);
}
