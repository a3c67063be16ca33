import { join } from 'node:path';
import { rootOf } from '@vmarea/cli';

let root: string | undefined;

/** The folder of the app's package.json. */
export function appRoot(): string {
  root ??= rootOf(import.meta.url, '@vmarea/bench');
  return root;
}

/** The path of one of the app's files. */
export function appFile(path: string): string {
  return join(appRoot(), path);
}
