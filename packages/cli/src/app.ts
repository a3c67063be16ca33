import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder of an app's package.json. It is the same for sources and for a build.
 *
 * @param module - `import.meta.url` of one of its modules.
 * @param name - the name in its package.json.
 */
export function rootOf(module: string, name: string): string {
  for (let folder = dirname(fileURLToPath(module)); ; folder = dirname(folder)) {
    if (manifestOf(folder)?.name === name) return folder;
    if (folder === dirname(folder)) throw new Error(`the package.json of ${name} is missing`);
  }
}

/** The version in the package.json of a folder. */
export function versionIn(root: string): string {
  return String(manifestOf(root)?.version);
}

function manifestOf(folder: string): { readonly name?: unknown; readonly version?: unknown } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown };
  } catch {
    return undefined;
  }
}
