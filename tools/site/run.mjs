// `npm run site`: makes the site in _site/: texts, the reference from doc comments, the explorer and the changelog. Then it checks every link
// in it. Any static host can serve the folder, at any path: all links in it are relative.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { root } from '../support/run.mjs';
import { runTurbo } from '../support/run-turbo.mjs';
import { changelog } from './changelog.mjs';
import { checkLinks } from './links.mjs';
import { CHANGELOG, publishedPackages } from './pages.mjs';
import { makePages } from './typedoc.mjs';

/** GitHub's actions for its Pages look here by default. */
const folder = join(root, '_site');

if (process.argv.length > 2) {
  console.error(`npm run site has no options: ${process.argv.slice(2).join(' ')}`);
  process.exit(2);
}
await make();
await check();

async function make() {
  rmSync(folder, { recursive: true, force: true });
  // Built here or by `npm test` before: what has not changed is not built again.
  if ((await runTurbo(['build', '--filter=@vmarea/explorer'], 'stderr')) !== 0) process.exit(1);
  const changes = join(root, CHANGELOG);
  mkdirSync(dirname(changes), { recursive: true });
  writeFileSync(changes, await changelog(root, publishedPackages()));
  const { texts } = await makePages(folder);
  cpSync(join(root, 'apps/explorer/dist'), join(folder, 'explorer'), { recursive: true });
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const pages = files.filter((file) => file.endsWith('.html')).length;
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  const first = gzipSync(readFileSync(join(folder, 'index.html'))).length;
  console.log(`site: ${pages} pages in _site/, ${texts} of them texts; ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  console.log(
    `site: the first page has ${(first / 1024).toFixed(1)} KiB with gzip, without style and scripts`,
  );
}

async function check() {
  const { pages, links, outside, dead } = await checkLinks(folder);
  for (const { page, link, why } of dead) console.error(`${page}: ${link}: ${why}`);
  console.log(
    `site: ${links} links on ${pages} pages lead somewhere, ${dead.length} do not; ${outside} lead out of the site`,
  );
  if (dead.length > 0) process.exitCode = 1;
}
