// Dumps of the repository under the names that documents call them by.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { root } from './run.mjs';

/**
 * Writes real dumps, unpacked: files that a reader of a document is supposed to have.
 *
 * @param {string} folder - where they are written.
 * @param {Record<string, string>} names - the name of each file, and the dump of `packages/image/test/data` that it is.
 */
export function writeDumps(folder, names) {
  for (const [name, dump] of Object.entries(names)) {
    const packed = readFileSync(join(root, 'packages/image/test/data', `${dump}.kdump.gz`));
    writeFileSync(join(folder, name), gunzipSync(packed));
  }
}
