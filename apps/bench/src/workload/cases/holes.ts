import { type Context, POINTER_BYTES, type TestCase, vmallocFrames } from '../case.js';

/** Bytes that may wait for each doubling of processors (lazy_max_pages). */
const LAZY_BYTES = 2 ** 25;

/** Allocates among holes of exactly the same size. */
export const fullFit: TestCase = {
  name: 'full_fit_alloc_test',
  isExpectedToFail: false,
  frames({ cpus }, { format }) {
    const pageBytes = 2 ** format.pageShift;
    const length = junkLength(cpus, pageBytes);
    return 2 * (length + arrayFrames(length, pageBytes)) + 1;
  },
  test({ run, parameters: { testLoopCount, cpus } }) {
    const length = junkLength(cpus, run.pageBytes);
    const arrays = [arrayOf(length, run), arrayOf(length, run)];
    if (arrays.includes(0n)) {
      for (const array of arrays) run.vfree(array);
      return false;
    }
    const kept: bigint[] = [];
    const junk: bigint[] = [];
    for (let i = 0; i < length; i++) {
      kept.push(run.vmalloc(1));
      junk.push(run.vmalloc(1));
    }
    for (const address of junk) run.vfree(address);
    let hasPassed = true;
    for (let i = 0; i < testLoopCount && hasPassed; i++) {
      const address = run.vmalloc(1);
      hasPassed = address !== 0n;
      if (!hasPassed) break;
      run.store(address, 1);
      run.vfree(address);
    }
    for (const address of kept) run.vfree(address);
    for (const array of arrays) run.vfree(array);
    return hasPassed;
  },
};

const BUSY = 15_000;

/** Allocates after many areas that stay. */
export const longBusyList: TestCase = {
  name: 'long_busy_list_alloc_test',
  isExpectedToFail: false,
  frames(_parameters, { format }) {
    const pageBytes = 2 ** format.pageShift;
    return BUSY + arrayFrames(BUSY, pageBytes) + vmallocFrames(100, pageBytes) + 1;
  },
  test({ run, parameters: { testLoopCount } }) {
    const array = arrayOf(BUSY, run);
    if (array === 0n) return false;
    const kept: bigint[] = [];
    for (let i = 0; i < BUSY; i++) kept.push(run.vmalloc(1));
    let hasPassed = true;
    for (let i = 0; i < testLoopCount; i++) {
      const large = run.vmalloc(100);
      if (large === 0n) {
        hasPassed = false;
        break;
      }
      const small = run.vmalloc(1);
      if (small === 0n) {
        run.vfree(large);
        hasPassed = false;
        break;
      }
      run.store(large, 0);
      run.store(small, 1);
      run.vfree(large);
      run.vfree(small);
    }
    for (const address of kept) run.vfree(address);
    run.vfree(array);
    return hasPassed;
  },
};

/** The limit of waiting areas, in pages. */
function junkLength(cpus: number, pageBytes: number): number {
  return (32 - Math.clz32(cpus)) * (LAZY_BYTES / pageBytes);
}

/** Allocates an array of pointers, as the module does in vmalloc memory. It stays empty. */
function arrayOf(length: number, run: Context['run']): bigint {
  return run.vmalloc(Math.ceil((length * POINTER_BYTES) / run.pageBytes));
}

function arrayFrames(length: number, pageBytes: number): number {
  return vmallocFrames(Math.ceil((length * POINTER_BYTES) / pageBytes), pageBytes);
}
