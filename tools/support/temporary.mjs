// The one place where tools make temporary folders.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watch } from './ending.mjs';

/**
 * Makes an empty folder that is gone when this process has ended, also by a signal.
 *
 * @param {string} name - what it is for: a part of the folder's name.
 * @returns {string} its path.
 */
export function temporaryFolder(name) {
  const folder = mkdtempSync(join(tmpdir(), `vmarea-${name}-`));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  watch();
  return folder;
}
