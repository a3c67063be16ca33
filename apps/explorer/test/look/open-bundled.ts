import { readFileSync } from 'node:fs';
import { TABLE_FILES } from '../../build/bundled-tables.js';
import { Dump } from '../../src/look/dump.js';

/** Opens a bundled table as the worker does. */
export function openBundled(name: string): Promise<Dump> {
  const file = new URL(`../../../../${TABLE_FILES[name]}`, import.meta.url);
  return Dump.open(
    { name, files: [new Blob([readFileSync(file)])], isPacked: true, rawFrom: null },
    () => {},
  );
}
