// Texts of the repository as pages of typedoc: documents, and READMEs of packages. A link between two texts becomes a link between their
// pages. Any other file or folder that a text links to is a link into the repository.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Converter, MinimalSourceFile, normalizePath, ReflectionKind, ValidatingFileRegistry } from 'typedoc';
import { root } from '../support/run.mjs';
import { packagesWithCalls, TEXTS } from './pages.mjs';

/** @typedef {import('typedoc').CommentDisplayPart} Part */

/** Files that texts link to stay where they are: none is copied into the site. */
class RepositoryFiles extends ValidatingFileRegistry {
  /** @override */
  *getMediaPaths() {}
}

/**
 * @param {import('typedoc').Application} app
 * @param {string} repository - its address, without a slash at the end.
 */
export function useTexts(app, repository) {
  app.files = new RepositoryFiles();
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, nameDocument);
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const { folder, name } of packagesWithCalls()) attachReadme(app, project, folder, name);
  });
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    const linked = (/** @type {Part[]} */ parts) => linksOut(parts, project, repository);
    if (project.readme !== undefined) project.readme = linked(project.readme);
    for (const one of project.getReflectionsByKind(ReflectionKind.Document | ReflectionKind.Module)) {
      if (one.isDocument()) one.content = linked(one.content);
      else if (one.isDeclaration() && one.readme !== undefined) one.readme = linked(one.readme);
    }
  });
}

/**
 * The text that a document is.
 *
 * @param {import('typedoc').DocumentReflection} document
 */
export function textOf(document) {
  const file = document.project.files.getReflectionPath(document) ?? '';
  const text = TEXTS.find((one) => normalizePath(join(root, one.file)) === file);
  if (text === undefined) throw new Error(`${file} is no text of tools/site/pages.mjs`);
  return text;
}

/**
 * A document has the name of its heading, and the group that its place says.
 *
 * @param {unknown} _context
 * @param {import('typedoc').DocumentReflection} document
 */
function nameDocument(_context, document) {
  const text = textOf(document);
  const [, heading] = /^# (.*)$/m.exec(readFileSync(join(root, text.file), 'utf8')) ?? [];
  if (heading === undefined) throw new Error(`${text.file} has no heading`);
  document.name = heading.replaceAll('`', '');
  document.frontmatter.group = text.group;
}

/**
 * The module of a package has the package's name, and its README without the heading, which the page has.
 *
 * @param {import('typedoc').Application} app
 * @param {import('typedoc').ProjectReflection} project
 * @param {string} folder
 * @param {string} name
 */
function attachReadme(app, project, folder, name) {
  const entry = `${folder}/src/index.ts`;
  const module = project.children?.find(({ sources }) => sources?.[0]?.fullFileName.endsWith(entry));
  if (module === undefined) throw new Error(`typedoc made no page of ${entry}`);
  module.name = name;
  const path = normalizePath(join(root, folder, 'README.md'));
  const text = readFileSync(path, 'utf8').replace(/^# .*\n+/, '');
  module.readme = app.converter.parseRawComment(new MinimalSourceFile(text, path), project.files).content;
  for (const known of [path, normalizePath(join(root, folder))])
    project.files.registerReflectionPath(known, module);
}

/**
 * @param {Part[]} parts
 * @param {import('typedoc').ProjectReflection} project
 * @param {string} repository
 * @returns {Part[]}
 */
function linksOut(parts, project, repository) {
  return parts.map((part) => {
    if (part.kind !== 'relative-link' || typeof part.target !== 'number') return part;
    const target = project.files.resolve(part.target, project);
    if (typeof target !== 'string') return part;
    const path = relative(root, target).replaceAll('\\', '/');
    if (path.startsWith('..') || !existsSync(target))
      throw new Error(`${part.text} leads out of the repository`);
    const kind = statSync(target).isDirectory() ? 'tree' : 'blob';
    const anchor = part.targetAnchor === undefined ? '' : `#${part.targetAnchor}`;
    return { kind: 'text', text: `${repository}/${kind}/main/${path}${anchor}` };
  });
}
