import { whyUnreadable as why } from '@vmarea/cli';

/**
 * Says in words why a file cannot be read.
 *
 * @param file - its path.
 */
export function whyUnreadable(error: unknown, file: string): string {
  const { code } = error as NodeJS.ErrnoException;
  return (code === 'EACCES' || code === 'EPERM') && file.endsWith('/vmallocinfo')
    ? `only root can read it; try: sudo cat ${file} | vmarea-bench layout --vmallocinfo -`
    : why(error);
}
