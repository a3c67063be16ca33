/** Colours of parts and curves, for both schemes: the same eight names. Neighbours differ in hue and in lightness. */
const LIGHT = ['#2563a8', '#c2571a', '#2f7d4f', '#7a4fa3', '#a8324a', '#8a6d1a', '#1f7f8c', '#6b6b6b'];
const DARK = ['#6aa5e8', '#f0925a', '#6cc48e', '#b892e0', '#ea7f93', '#d6b655', '#5fc3d1', '#a8a8a8'];

/** How many colours there are. */
export const COLOURS: number = LIGHT.length;

const variables = (colours: readonly string[]): string =>
  colours.map((colour, i) => `--c${i}:${colour}`).join(';');

/** The variables of both schemes, for a page or an image of its own. */
export const SCHEMES: string = [
  `:root{color-scheme:light dark;--text:#1a1a1a;--dim:#595959;--back:#fff;--line:#d9d9d9;--soft:#f4f4f4;${variables(LIGHT)}}`,
  `@media (prefers-color-scheme:dark){:root{--text:#ececec;--dim:#a6a6a6;--back:#161616;--line:#3a3a3a;--soft:#222;${variables(DARK)}}}`,
].join('\n');

/** The style of charts in SVG. */
export const CHART_STYLE: string = [
  'svg text{fill:var(--text);font:12px system-ui,sans-serif}',
  'svg .dim{fill:var(--dim)}',
  'svg .axis{stroke:var(--line);fill:none}',
  'svg .curve{fill:none;stroke-width:2}',
  'svg rect.area:hover{stroke:var(--text);stroke-width:2}',
  ...LIGHT.map(
    (_colour, i) => `.c${i}{fill:var(--c${i});background:var(--c${i})}.curve.s${i}{stroke:var(--c${i})}`,
  ),
].join('\n');

/** The style of a page. */
export const PAGE_STYLE: string = `${SCHEMES}
body{margin:0 auto;max-width:70rem;padding:1rem;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.15rem;margin-top:2rem}
p.dim,caption,figcaption{color:var(--dim);font-size:.875rem;text-align:left}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child,.l{text-align:left}
th button{all:unset;cursor:pointer;font-weight:600}th button:focus-visible{outline:2px solid var(--c0)}
th[aria-sort=ascending] button::after{content:' ▲'}th[aria-sort=descending] button::after{content:' ▼'}
tbody tr:hover{background:var(--soft)}
#save{font:inherit;color:inherit;background:var(--soft);border:1px solid var(--line);border-radius:.3rem;padding:.25rem .75rem;margin-top:1rem;cursor:pointer}
figure{margin:1rem 0}svg{width:100%;height:auto;display:block}
.bars{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr max-content;gap:.15rem .75rem;grid-auto-flow:row dense;align-items:center;font-size:.875rem}
.bars span{grid-column:1}.bars p{grid-column:2;margin:0;display:flex;height:.9rem}.bars p i{display:block;height:100%}
.bars b{grid-column:3;font-weight:400;text-align:right;font-variant-numeric:tabular-nums}
.groups{margin:0}.groups dt{grid-column:1}.groups dd{grid-column:2/4;margin:0 4rem .3rem 0}.groups i{display:block;height:1.1rem;font-style:normal;white-space:nowrap;text-indent:calc(100% + .3rem);font-variant-numeric:tabular-nums}
.key{display:flex;flex-wrap:wrap;gap:.25rem 1rem;font-size:.875rem;padding:0;list-style:none}
.key i{display:inline-block;width:.8rem;height:.8rem;margin-right:.35rem;vertical-align:-.1rem}
@media (max-width:40rem){.bars{grid-template-columns:1fr max-content}.bars b{grid-column:2}.bars p{grid-column:1/3}.groups dt,.groups dd{grid-column:1/3}}
figure.wide svg{min-width:40rem}
${CHART_STYLE}`;
