import { type Installed, installedFormats as installedFor } from '@vmarea/cli';
import { appRoot } from './app-root.js';

/**
 * The configurations of the formats that this app and a folder's package.json depend on.
 *
 * @param folder - usually the current one.
 */
export function installedFormats(folder: string): Promise<Installed> {
  return installedFor({ root: appRoot(), load: (name) => import(name) as Promise<unknown> }, folder);
}
