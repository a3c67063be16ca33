import { POINTER_BYTES, type TestCase } from '../case.js';
import type { Run } from '../run.js';

/** Words before the pointers in a page of kvfree_rcu (struct kvfree_rcu_bulk_data). */
const HEAD_WORDS = 5;
/** Bytes of struct rcu_head, at the start of the freed memory. The module writes after it. */
const RCU_HEAD_BYTES = 16;

/**
 * kvfree_rcu collects pointers in a page. A full page waits for the end of its grace period. Here this is when the next page is
 * full; then all that the page names is freed.
 */
class Deferred {
  readonly #run: Run;
  readonly #size: number;
  #filling: bigint[] = [];
  #waiting: bigint[] = [];

  constructor(run: Run) {
    this.#run = run;
    this.#size = batchOf(run.pageBytes);
  }

  free(address: bigint): void {
    this.#filling.push(address);
    if (this.#filling.length < this.#size) return;
    this.#freeAll(this.#waiting);
    this.#waiting = this.#filling;
    this.#filling = [];
  }

  /** Ends all grace periods (kvfree_rcu_barrier). */
  barrier(): void {
    this.#freeAll(this.#waiting.splice(0));
    this.#freeAll(this.#filling.splice(0));
  }

  #freeAll(addresses: readonly bigint[]): void {
    for (const address of addresses) this.#run.vfree(address);
  }
}

/** Pointers of a page (KVFREE_BULK_MAX_ENTR). */
function batchOf(pageBytes: number): number {
  return pageBytes / POINTER_BYTES - HEAD_WORDS;
}

function kvfreeRcu(name: string): TestCase {
  return {
    name,
    isExpectedToFail: false,
    frames: ({ testLoopCount }, { format }) =>
      Math.min(testLoopCount, 2 * batchOf(2 ** format.pageShift)) + 1,
    test({ run, parameters: { testLoopCount } }) {
      const deferred = new Deferred(run);
      // As in the module, the rest is freed after the measuring.
      run.afterwards(() => deferred.barrier());
      for (let i = 0; i < testLoopCount; i++) {
        const address = run.vmalloc(1);
        if (address === 0n) return false;
        run.store(address + BigInt(RCU_HEAD_BYTES), 0x61);
        deferred.free(address);
      }
      return true;
    },
  };
}

/** kvfree_rcu_mightsleep: with memory for pages of pointers it works as with a head. */
export const kvfreeRcu1: TestCase = kvfreeRcu('kvfree_rcu_1_arg_vmalloc_test');
/** kvfree_rcu with a head in the freed memory. Linux uses the head only without a page for pointers: never here. */
export const kvfreeRcu2: TestCase = kvfreeRcu('kvfree_rcu_2_arg_vmalloc_test');
