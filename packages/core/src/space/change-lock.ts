import { VmError } from '../errors.js';

/**
 * Lets one call at a time change an address space. A flush sink or a callback may look, but must not start
 * another call.
 */
export class ChangeLock {
  /** True while a call changes something. Fast paths set it themselves, after `requireIdle`. */
  isBusy = false;
  isDestroyed = false;

  /**
   * Runs a call that changes something.
   *
   * @throws VmError as `requireIdle`; what the call throws.
   */
  change<R>(call: () => R): R {
    this.requireIdle();
    this.isBusy = true;
    try {
      return call();
    } finally {
      this.isBusy = false;
    }
  }

  /** @throws VmError `EBUSY` from within a sink or callback; `EINVAL` when the space was destroyed. */
  requireIdle(): void {
    this.requireLive();
    if (this.isBusy)
      throw new VmError('EBUSY', 'the address space is in the middle of a call', {
        advice: 'a flush sink or callback may read, but must not change anything',
      });
  }

  /** @throws VmError `EINVAL` when the space was destroyed. */
  requireLive(): void {
    if (this.isDestroyed) throw new VmError('EINVAL', 'the address space was destroyed');
  }
}
