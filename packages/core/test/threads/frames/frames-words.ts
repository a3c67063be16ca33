import type { FramesDescription } from '../../../src/memory/frames/shared/describe-frames.js';
import type { GroupBuffers } from '../../../src/threads/thread-group.js';

/** The input of a thread of the test. */
export interface Told {
  readonly buffers: GroupBuffers;
  readonly invitation: number;
  readonly description: FramesDescription;
  /** One word for each frame: 0, or 1 + the slot of the thread that has it. */
  readonly owners: SharedArrayBuffer;
  /** `Signal` words. */
  readonly signals: SharedArrayBuffer;
  /** How many times it takes and frees; `null`: until `Signal.stop`. */
  readonly rounds: number | null;
  readonly seed: number;
  /** All it does is inside one call. */
  readonly isInCall: boolean;
}

/** What it saw. */
export interface Seen {
  /** Frames that it got while another thread had them. */
  readonly conflicts: number;
  /** Blocks that it took. */
  readonly taken: number;
}

/** Words with which the test stops a thread, and sees what it has. */
export const Signal = { stop: 0, pause: 1, isPaused: 2, held: 3, conflicts: 4, running: 5 } as const;
