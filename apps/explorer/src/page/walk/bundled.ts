/** A table that the page brings. It is fetched when somebody asks for it. */
export interface BundledTable {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly file: string;
}

export const BUNDLED: readonly BundledTable[] = [
  {
    name: 'x86-64',
    title: 'x86-64',
    about: '4 levels, 512 entries a table, page-table isolation. Linux 6.12, stopped while a process runs.',
    file: 'tables/x86-64.kdump.gz',
  },
  {
    name: 'arm64-4k',
    title: 'arm64, 4K pages',
    about: '4 levels, 512 entries a table. The kernel’s half of Linux 6.12.',
    file: 'tables/arm64-4k.kdump.gz',
  },
  {
    name: 'arm64-16k',
    title: 'arm64, 16K pages',
    about: '3 levels, 2,048 entries a table, both halves. Linux 6.12.',
    file: 'tables/arm64-16k.ptimage.gz',
  },
  {
    name: 'riscv64',
    title: 'riscv64, Sv39',
    about: '3 levels, 512 entries a table, runs of 64 KiB. Linux 6.12.',
    file: 'tables/riscv64-sv39.kdump.gz',
  },
];
