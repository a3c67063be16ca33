import * as fs from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listLeaves } from '@vmarea/core';
import { bytesSource, fileSource, findRoots, openImage } from '../src/index.js';
import { dumpOf, formats } from './support/dumps.js';
import { sparseDump } from './support/sparse.js';

/** How long a sparse dump of 4 GiB takes, and how much memory: a row of docs/performance.md. `npm run speed:dumps`. */
const [kind = 'lime', look = 'named'] = process.argv.slice(2) as ['raw' | 'lime' | 'elf', 'named' | 'scan'];
const folder = mkdtempSync(join(tmpdir(), 'vmarea-sparse-'));
try {
  const path = join(folder, kind);
  const { size, parts } = sparseDump('x86-4level', kind);
  const fd = fs.openSync(path, 'w+');
  fs.ftruncateSync(fd, size);
  for (const { offset, bytes } of parts) fs.writeSync(fd, bytes, 0, bytes.length, offset);
  const text = openImage(bytesSource(dumpOf('x86-4level', 'zlib'))).vmcoreinfo?.text ?? '';

  const begin = performance.now();
  const before = process.cpuUsage();
  const map = kind === 'raw' ? { map: [{ address: 0n }] } : {};
  const image = openImage(fileSource(fd, fs), { ...map, ...(look === 'named' ? { vmcoreinfo: text } : {}) });
  const { best } = findRoots(image, { formats });
  let rows = 0;
  if (best?.table) for (const { kind: what } of listLeaves(best.table)) if (what === 'leaves') rows++;
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(before);
  const resident = process.resourceUsage().maxRSS / 1024;
  console.log(
    `${kind}, ${look === 'named' ? 'VMCOREINFO given' : 'VMCOREINFO looked for'}: ${rows} rows, ${seconds.toFixed(2)} s, ${((user + system) / 1e6).toFixed(2)} s of processor, at most ${resident.toFixed(0)} MiB resident, root by ${best?.origin}`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
