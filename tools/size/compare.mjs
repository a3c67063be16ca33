// What a page imports that compares formats, beside its formats.
export { compareLayout, pageSizeText } from '../../packages/compare/dist/index.js';
