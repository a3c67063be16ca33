import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The name in the app's package.json. */
const APP = '@vmarea/bench';

let root: string | undefined;

/** The folder of the app's package.json. It is the same for sources and for a build. */
export function appRoot(): string {
  if (root !== undefined) return root;
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (packageName(folder) === APP) {
      root = folder;
      return folder;
    }
    if (folder === dirname(folder)) throw new Error(`the package.json of ${APP} is missing`);
  }
}

/** The path of one of the app's files. */
export function appFile(path: string): string {
  return join(appRoot(), path);
}

function packageName(folder: string): unknown {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown }).name;
  } catch {
    return undefined;
  }
}
