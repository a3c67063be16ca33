// Makes the pages: texts, and a page for each export from its doc comment.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Application, LogLevel } from 'typedoc';
import { root } from '../support/run.mjs';
import { GROUPS, packagesWithCalls, START, TEXTS } from './pages.mjs';
import { useTexts } from './texts.mjs';
import { THEME_OPTIONS, useTheme } from './theme.mjs';

/** Where links into the repository lead. */
const REPOSITORY = JSON.parse(readFileSync(join(root, 'packages/core/package.json'), 'utf8'))
  .repository.url.replace(/^git\+/, '')
  .replace(/\.git$/, '');

/** Insides that a caller gets and passes on, or that only packages of this repository use. Every other type must have a page. */
const INSIDE = [
  'core/src/area/interval-tree.ts:IntervalTree',
  'core/src/area/vmap-nodes.ts:Node',
  'core/src/check/window.ts:WindowBounds',
  'core/src/format/plan.ts:SlotField',
  'core/src/format/translation.ts:Choose',
  'core/src/loops/run-loops.ts:BankSpan',
  'core/src/memory/frames/frame-sharing.ts:FrameCalls',
  'core/src/memory/frames/frame-state.ts:FrameState',
  'core/src/process/shared/process-sharing.ts:ProcessSharing',
  'core/src/space/held-frames.ts:HeldFrames',
  'core/src/table/state/table-sharing.ts:TableSharing',
  'core/src/threads/thread-group.ts:ThreadGroup',
  'core/src/vmap/space-sharing.ts:SpaceSharing',
];

/**
 * Every export and method has a doc comment. Properties and constructors may do without: their names say all, or their class does.
 *
 * @type {NonNullable<import('typedoc').TypeDocOptions['requiredToBeDocumented']>}
 */
const DOCUMENTED = [
  'Enum',
  'EnumMember',
  'Variable',
  'Function',
  'Class',
  'Interface',
  'TypeAlias',
  'Method',
  'Accessor',
  'CallSignature',
  'GetSignature',
  'SetSignature',
];

const NOTHING = { notExported: false, invalidLink: false, invalidPath: false, rewrittenLink: false };
const WRONG_LINKS = { invalidLink: true, invalidPath: true, rewrittenLink: true };

/**
 * @param {string} folder - is made anew.
 * @returns {Promise<{ texts: number }>} how many of the pages are texts.
 * @throws {Error} for a doc comment or a link that typedoc warns of.
 */
export async function makePages(folder) {
  const packages = packagesWithCalls();
  const app = await Application.bootstrap({
    name: 'vmarea',
    // One program for all packages: their exports link to each other, and each source is read once.
    entryPoints: packages.map((one) => join(root, one.folder, 'src/index.ts')),
    tsconfig: join(root, 'tools/site/tsconfig.json'),
    readme: join(root, START),
    projectDocuments: TEXTS.map(({ file }) => join(root, file)),
    out: folder,
    logLevel: LogLevel.Warn,
    excludeInternal: true,
    excludePrivate: true,
    sort: ['documents-first', 'alphabetical-ignoring-documents'],
    groupOrder: GROUPS,
    searchInDocuments: true,
    searchInComments: false,
    includeHierarchySummary: false,
    disableGit: true,
    sourceLinkTemplate: `${REPOSITORY}/blob/main/{path}#L{line}`,
    basePath: root,
    displayBasePath: root,
    intentionallyNotExported: INSIDE,
    packagesRequiringDocumentation: packages.map(({ name }) => name),
    requiredToBeDocumented: DOCUMENTED,
    ...THEME_OPTIONS,
  });
  useTexts(app, REPOSITORY);
  useTheme(app, REPOSITORY);
  const project = await app.convert();
  if (project === undefined) throw new Error('typedoc cannot read the sources');
  validate(app, project);
  await app.generateOutputs(project);
  const { errorCount, warningCount } = app.logger;
  if (errorCount + warningCount > 0) throw new Error(`typedoc complains ${errorCount + warningCount} times`);
  return { texts: TEXTS.length + 1 };
}

/**
 * @param {Application} app
 * @param {import('typedoc').ProjectReflection} project
 */
function validate(app, project) {
  const inside = app.options.getValue('intentionallyNotExported');
  // typedoc asks whether types are exported in one package alone: that of the project.
  const [core, ...others] = packagesWithCalls();
  for (const { name } of others) {
    project.packageName = name;
    app.options.setValue('intentionallyNotExported', []);
    app.options.setValue('validation', { ...NOTHING, notExported: true });
    app.validate(project);
  }
  project.packageName = core?.name;
  app.options.setValue('intentionallyNotExported', inside);
  app.options.setValue('validation', { ...WRONG_LINKS, notExported: true, notDocumented: true });
  app.validate(project);
  delete project.packageName;
}
