/**
 * Says in words why a file cannot be read.
 *
 * @param file - its path.
 */
export function whyUnreadable(error: unknown, file: string): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file';
    case 'EISDIR':
      return 'it is a directory; name a file';
    case 'EACCES':
    case 'EPERM':
      return file.endsWith('/vmallocinfo')
        ? `only root can read it; try: sudo cat ${file} | vmarea-bench layout --vmallocinfo -`
        : 'permission denied';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
