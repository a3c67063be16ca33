// The one place where tools make temporary folders.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watch } from './ending.mjs';

/** @type {string[]} */
const folders = [];

/**
 * Makes an empty folder that is gone when this process has ended, also by a signal.
 *
 * @param {string} name - what it is for: a part of the folder's name.
 * @returns {string} its path.
 */
export function temporaryFolder(name) {
  if (folders.length === 0) {
    process.on('exit', removeAll);
    watch();
  }
  const folder = mkdtempSync(join(tmpdir(), `vmarea-${name}-`));
  folders.push(folder);
  return folder;
}

function removeAll() {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
