import { VmError } from '../../errors.js';
import { ChangeLock } from '../../space/change-lock.js';
import type { RobustLock } from '../../threads/robust-lock.js';

/** What a lock of a process does beside locking. */
interface Holder {
  readonly lock: RobustLock;
  /** True once some thread has destroyed the process. */
  readonly isGone: boolean;
  /** Called with the lock, before and after each call. */
  look(): void;
  publish(): void;
  /** Forgets what this thread has of a process that is gone. */
  forget(): void;
}

/** The lock of a process that several threads use (mmap_lock): one call in all threads at a time. */
export class ProcessLock extends ChangeLock {
  /** Set when other threads can reach the process. Before, this thread is alone with it. */
  holder: Holder | null = null;
  readonly #calls: { calls: number };

  /** @param calls - counts the calls of this thread: what it takes meanwhile belongs to them. */
  constructor(calls: { calls: number }) {
    super();
    this.#calls = calls;
  }

  override change<R>(call: () => R): R {
    const { holder } = this;
    this.requireIdle();
    if (holder === null) return this.#counted(call);
    holder.lock.acquire();
    try {
      this.requireLive();
      holder.look();
      return this.#counted(() => {
        try {
          return call();
        } finally {
          holder.publish();
        }
      });
    } finally {
      holder.lock.release();
    }
  }

  #counted<R>(call: () => R): R {
    this.#calls.calls++;
    try {
      return super.change(call);
    } finally {
      this.#calls.calls--;
    }
  }

  override requireLive(): void {
    if (!this.isDestroyed && this.holder?.isGone === true) {
      this.isDestroyed = true;
      this.holder.forget();
    }
    if (this.isDestroyed) throw new VmError('EINVAL', 'the process was destroyed');
  }
}
