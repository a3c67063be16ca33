/**
 * Names that the examples of doc comments use and do not make, and their types. Everything that a package exports is known
 * without this list.
 */

const core = (type: string): string => `import('@vmarea/core').${type}`;

const DESCRIPTION = `import('@vmarea/core').Description<{ kernel: import('@vmarea/core').AddressSpace }>`;

/** The same in all examples. */
export const AROUND: Readonly<Record<string, string>> = {
  memory: core('PhysicalMemory'),
  frames: core('FrameAllocator'),
  kernel: core('AddressSpace'),
  process: core('Process'),
  threads: core('Threads'),
  table: core('PageTable'),
  format: core('PageTableFormat'),
  mmu: `import('@vmarea/mmu').Mmu`,
  area: core('VmArea'),
  va: 'bigint',
  root: 'bigint',
  entry: 'bigint',
  PAGE_KERNEL: core('Protection'),
  workerData: `${DESCRIPTION} & { parts: ${DESCRIPTION}; arena: import('@vmarea/arena').ArenaDescription }`,
};

/** Values of the reader's own program. What is called with them is still checked by name and number of arguments. */
export const ANY: readonly string[] = [
  ...['given', 'worker', 'description', 'device', 'Device', 'buffers', 'queue', 'request', 'url'],
  ...[
    'areas',
    'state',
    'guest',
    'dump',
    'addresses',
    'bytes',
    'region',
    'object',
    'operations',
    'fault',
    'slot',
  ],
  ...[
    'number',
    'firstPage',
    'address',
    'frame',
    'hi',
    'lo',
    'shadow',
    'text',
    'textFrames',
    'data',
    'dataFrames',
  ],
  ...['PAGE_KERNEL_ROX', 'IOREMAP', 'before', 'after', 'image', 'suspects', 'tables', 'ssp', 'tcr', 'ttbr0'],
  ...[
    'ttbr1',
    'mair',
    'sctlr',
    'satp',
    'cpu0',
    'cpu1',
    'entryAddress',
    'arena',
    'program',
    'port',
    'formats',
  ],
  ...['bpf_arena_alloc_pages', 'arm64Configurations', 'best', 'found', 'regions', 'readFileSync', 'Worker'],
  ...['page', 'WebAssembly', 'x8664Configurations'],
];

/** One shows a call that is refused, and one leaves out the end of a function. */
export const APART: readonly string[] = [
  'packages/core/src/check/controls.ts',
  'packages/core/src/check/options.ts',
];
