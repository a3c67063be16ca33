import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onExit } from './cleanup.js';

/** A temporary folder. It is removed when this process ends, if not before. */
export interface TemporaryFolder {
  readonly path: string;
  remove(): void;
}

/**
 * Makes a temporary folder.
 *
 * @param prefix - the start of its name.
 * @param parent - the folder around it. Default: the system's folder for temporary files.
 */
export function temporaryFolder(prefix: string, parent: string = tmpdir()): TemporaryFolder {
  const path = mkdtempSync(join(parent, prefix));
  // A child that was just killed may still create a file while the folder is removed: then try again.
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
