import { rootOf } from '@vmarea/cli';

let root: string | undefined;

/** The folder of the app's package.json. */
export function appRoot(): string {
  root ??= rootOf(import.meta.url, '@vmarea/inspect');
  return root;
}
