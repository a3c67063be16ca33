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
    const base = '../'.repeat(page.url.split('/').length - 1);
    page.contents = page.contents
      ?.replaceAll(`href="${BASE}`, `href="${base}`)
      .replace(/(<div id="tsd-toolbar-links">.*?)(<\/div>)/s, `$1<a href="${repository}">Source</a>$2`);
  });
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
