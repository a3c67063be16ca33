import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

const root = new URL('../../../', import.meta.url);

/** Where the bundled tables come from, by the name under which the page asks for them. All are of real kernels. */
export const TABLE_FILES: Readonly<Record<string, string>> = {
  'x86-64.kdump.gz': 'packages/image/test/data/x86-4level.snappy.kdump.gz',
  'arm64-4k.kdump.gz': 'packages/image/test/data/arm64-4k.lzo.kdump.gz',
  'arm64-16k.ptimage.gz': 'packages/testkit/data/linux-6.12-arm64-16k/tables.ptimg.gz',
  'riscv64-sv39.kdump.gz': 'packages/image/test/data/riscv64-sv39.zstd.kdump.gz',
};

/** The areas that Compare begins with: those of the bench app. */
export const AREAS_FILE = 'apps/bench/data/linux-6.12-x86-64.vmallocinfo.txt';

const FILES: Readonly<Record<string, string>> = { ...TABLE_FILES, 'vmallocinfo.txt': AREAS_FILE };

/** Serves and emits tables that other packages keep for their tests, so that they are in the repository once. */
export function bundledTables(): Plugin {
  const bytesOf = (name: string): Buffer | null => {
    const file = FILES[name];
    return file === undefined ? null : readFileSync(new URL(file, root));
  };
  return {
    name: 'bundled-tables',
    configureServer({ middlewares }) {
      middlewares.use('/tables/', (request, response, next) => {
        const bytes = bytesOf((request.url ?? '').slice(1));
        if (bytes === null) next();
        else response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(bytes);
      });
    },
    generateBundle() {
      for (const name of Object.keys(FILES))
        this.emitFile({ type: 'asset', fileName: `tables/${name}`, source: bytesOf(name) as Buffer });
    },
  };
}
