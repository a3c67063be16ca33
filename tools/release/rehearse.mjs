// `npm run release:rehearse`: does in a copy of the repository what a release does, and checks what users would get. Nothing is
// published, no registry is needed, and the work tree stays as it is. Prints one line per check.
//
// The checks of the packages are those of ../consumer. The rehearsal adds the versions, the changelogs, the install lines and examples
// of the READMEs, and `publish --dry-run`.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Checks } from '../consumer/checks.mjs';
import { isCommand, pack, published } from '../consumer/packages.mjs';
import { usePackages } from '../consumer/use-packages.mjs';
import { copyRepository, repositoryFiles } from '../support/copy-repository.mjs';
import { output, pnpm } from '../support/run.mjs';
import { temporaryFolder } from '../support/temporary.mjs';
import { followGuide, followReadme, guidesThatInstall } from './follow-readme.mjs';
import { Registry } from './registry.mjs';

const checks = new Checks('rehearsal');
const before = repositoryFiles();
const copy = join(temporaryFolder('release'), 'repository');
copyRepository(copy);
const inCopy = (/** @type {string[]} */ ...args) => output('npx', pnpm(...args), { cwd: copy });

/** @type {Map<string, string>} */
let tarballs = new Map();
const isReady =
  (await checks.check('install by the lockfile', async () => {
    await inCopy('install', '--frozen-lockfile', '--prefer-offline');
    return '';
  })) &&
  (await checks.check('versions and changelogs', version)) &&
  (await checks.check('build', async () => {
    await inCopy('--recursive', 'run', 'build');
    return '';
  })) &&
  (await checks.check('pack', async () => {
    tarballs = await pack(copy, published(copy), temporaryFolder('tarballs'));
    return [...tarballs.values()].map((file) => basename(file)).join(', ');
  }));
if (isReady) await useAndPublish();
await checks.check('the work tree is as before', async () => {
  const after = repositoryFiles();
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  if (changed.length > 0) throw new Error(`these files changed: ${changed.join(', ')}`);
  return `${after.size} files`;
});
checks.finish();

async function version() {
  const old = new Map(published(copy).map((one) => [one.name, one.version]));
  await inCopy('exec', 'changeset', 'version');
  const left = readdirSync(join(copy, '.changeset')).filter(
    (name) => name.endsWith('.md') && name !== 'README.md',
  );
  if (left.length > 0) throw new Error(`changesets are left: ${left.join(', ')}`);
  const all = published(copy).map(({ name, version }) => `${name} ${old.get(name)} to ${version}`);
  return all.join(', ');
}

async function useAndPublish() {
  const packages = published(copy);
  const project = await usePackages(checks, packages, tarballs, { changelog: true });
  if (project === null) return;
  const unpacked = (/** @type {string} */ name) => project.installed(name);
  await withRegistry(new Registry(tarballs, unpacked), async ({ url }) => {
    for (const one of packages.filter((library) => !isCommand(library))) {
      const title = `${one.name}: the README's install line and examples`;
      await checks.check(title, () => followReadme(one, url));
    }
    for (const file of guidesThatInstall())
      await checks.check(`${file}: its install line and examples`, () => followGuide(file, url));
  });
  await withRegistry(new Registry(new Map(), unpacked), async (registry) => {
    await checks.check('publish --dry-run', () => publish(packages, registry));
  });
}

/**
 * @param {Registry} registry
 * @param {(registry: Registry) => Promise<void>} use
 */
async function withRegistry(registry, use) {
  await registry.open();
  try {
    await use(registry);
  } finally {
    registry.close();
  }
}

/**
 * Publishes to a registry that knows nothing, without doing it.
 *
 * @param {import('../consumer/packages.mjs').Package[]} packages
 * @param {Registry} registry
 */
async function publish(packages, { url, refused }) {
  const printed = await inCopy('--recursive', 'publish', '--dry-run', '--no-git-checks', '--registry', url);
  const left = packages.filter(({ name, version }) => !printed.includes(`${name}@${version} `));
  if (left.length > 0) throw new Error(`left out: ${left.map(({ name }) => name).join(', ')}\n${printed}`);
  if (refused.length > 0) throw new Error(`it was no dry run: ${refused.join(', ')}`);
  return `${packages.length} packages`;
}
