import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onExit } from './cleanup.js';

/** A folder that is removed when this process ends, or before. */
export interface TemporaryFolder {
  readonly path: string;
  remove(): void;
}

/**
 * Makes a temporary folder.
 *
 * @param prefix - how its name begins.
 * @param parent - where it is; the system's folder for temporary files when absent.
 */
export function temporaryFolder(prefix: string, parent: string = tmpdir()): TemporaryFolder {
  const path = mkdtempSync(join(parent, prefix));
  // A child that was killed just now may still finish a write: then the folder is not empty at first.
  const take = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  const cancel = onExit(take);
  return {
    path,
    remove() {
      cancel();
      take();
    },
  };
}
