// Where pages are, and what is around their text.
import { join } from 'node:path';
import { DefaultTheme, MarkdownEvent, PageEvent, StructureRouter } from 'typedoc';
import { root } from '../support/run.mjs';
import { textOf } from './texts.mjs';

/** Links at the top of every page, from the folder of the site. */
const TOP = {
  Guides: 'guides/first-ten-minutes.html',
  API: 'modules.html',
  Explorer: 'explorer/index.html',
  Changelog: 'project/changelog.html',
};

/** Stands for the folder of the site until it is known how far above the page it is. */
const BASE = 'site:';

/** Options of typedoc that this file needs. */
export const THEME_OPTIONS = {
  router: 'site',
  theme: 'site',
  customCss: join(root, 'tools/site/site.css'),
  navigation: { includeGroups: true, includeCategories: false, includeFolders: false },
  headings: { readme: false, document: false },
  visibilityFilters: {},
  hideGenerator: true,
  favicon: join(root, 'tools/site/favicon.svg'),
  locales: { en: { kind_module: 'Package', kind_plural_module: 'Packages' } },
  sortEntryPoints: false,
  navigationLinks: Object.fromEntries(Object.entries(TOP).map(([name, url]) => [name, `${BASE}${url}`])),
  markdownItLoader: headingsWithCode,
};

/** Texts are where pages.mjs says; exports are in a folder of their package, below `api`. */
class SiteRouter extends StructureRouter {
  /**
   * @override
   * @param {import('typedoc').Models.Reflection} reflection
   */
  getIdealBaseName(reflection) {
    if (reflection.isDocument()) return textOf(reflection).url;
    return `api/${super.getIdealBaseName(reflection).replace(/^@?_?vmarea\//i, '')}`;
  }
}

/**
 * @param {import('typedoc').Application} app
 * @param {string} repository - its address.
 */
export function useTheme(app, repository) {
  app.renderer.defineRouter('site', SiteRouter);
  app.renderer.defineTheme('site', DefaultTheme);
  // Anchors that a text makes by itself, `<a id="…">`, are as good as those of headings.
  app.renderer.on(
    MarkdownEvent.PARSE,
    ({ page, parsedText }) => {
      const slugger = app.renderer.router?.getSlugger(page.model);
      for (const [, id = ''] of parsedText.matchAll(/<a id="([^"]+)">/g)) slugger?.slug(id);
    },
    1,
  );
  app.renderer.on(PageEvent.END, (page) => {
    page.contents = withLandmarks(withLinks(page.contents ?? '', page.url, repository));
  });
}

/**
 * @param {string} html
 * @param {string} url - of the page.
 * @param {string} repository
 */
function withLinks(html, url, repository) {
  const base = '../'.repeat(url.split('/').length - 1);
  return html
    .replaceAll(`href="${BASE}`, `href="${base}`)
    .replace(/(<div id="tsd-toolbar-links">.*?)(<\/div>)/s, `$1<a href="${repository}">Source</a>$2`);
}

/**
 * What typedoc's theme lacks for readers without a picture or a mouse: what is the text, which menu is which, no link inside of a button,
 * and keys that scroll a wide table.
 *
 * @param {string} html
 */
function withLandmarks(html) {
  return html
    .replace('<div class="col-content">', '<div class="col-content" role="main">')
    .replace('<div class="col-sidebar">', '<div class="col-sidebar" role="complementary" aria-label="Menus">')
    .replace('<nav id="tsd-sidebar-links"', '<nav id="tsd-sidebar-links" aria-label="Site"')
    .replace('<nav class="tsd-navigation">', '<nav class="tsd-navigation" aria-label="All pages">')
    .replaceAll('<table>', '<div class="wide" tabindex="0"><table>')
    .replaceAll('</table>', '</table></div>')
    .replace(/<summary class="tsd-accordion-summary".*?<\/summary>/gs, (summary) =>
      summary.replace(/<a [^>]*class="tsd-anchor-icon">.*?<\/a>/gs, ''),
    );
}

/**
 * typedoc leaves code out of the anchor of a heading; GitHub does not, and links in texts are as GitHub has them.
 *
 * @param {any} markdown - an instance of markdown-it.
 */
function headingsWithCode(markdown) {
  markdown.core.ruler.push('headings-with-code', (/** @type {any} */ { tokens, Token }) => {
    for (const [index, token] of tokens.entries()) {
      if (token.type !== 'heading_open') continue;
      for (const part of tokens[index + 1].children) {
        if (part.type !== 'code_inline') continue;
        part.children = [Object.assign(new Token('text', '', 0), { content: part.content })];
      }
    }
  });
}
