import { checkFiles } from './check-files.mjs';
import { isCommand } from './packages.mjs';
import { Project } from './project.mjs';
import { useCommand } from './use-command.mjs';
import { useExample } from './use-example.mjs';
import { useInspect } from './use-inspect.mjs';
import { useLibraries } from './use-libraries.mjs';

/** The only library that needs packages of others. */
const WITH_DECOMPRESSORS = '@vmarea/image';

/**
 * Installs tarballs in a new project, checks their files, and uses them.
 *
 * @param {import('./checks.mjs').Checks} checks
 * @param {import('./packages.mjs').Package[]} packages
 * @param {Map<string, string>} tarballs - of the packages.
 * @param {{ changelog: boolean }} options - whether each must have a changelog.
 * @returns {Promise<Project | null>} the project; `null` when the packages could not be installed.
 */
export async function usePackages(checks, packages, tarballs, options) {
  const libraries = packages.filter((one) => !isCommand(one)).map(({ name }) => name);
  const all = packages.map(({ name }) => name);
  const project = new Project();
  // Offline: the libraries need each other, and nothing else in the world.
  const closed = libraries.filter((name) => name !== WITH_DECOMPRESSORS);
  const installOffline = () => project.install(closed, tarballs, '--offline');
  if (!(await checks.check(`install ${closed.join(', ')} offline`, installOffline))) return null;
  const install = () => project.install(libraries, tarballs, '--prefer-offline');
  if (!(await checks.check(`install ${libraries.join(', ')}`, install))) return null;
  await useLibraries(checks, project, libraries);
  await useExample(checks, project, libraries);

  // What the commands need from others comes from the registry, or from npm's cache.
  const installAll = () => project.install(all, tarballs, '--prefer-offline');
  if (!(await checks.check(`install ${all.join(', ')}`, installAll))) return null;
  await useCommand(checks, project);
  await useInspect(checks, project);
  for (const name of all) {
    await checks.check(`${name}: files and maps`, () => checkFiles(project.installed(name), options));
  }
  return project;
}
