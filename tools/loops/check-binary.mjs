import { readModule } from './sections.mjs';

/** Browsers compile what is smaller synchronously, on their main thread too (Chrome: 4 KiB). */
const BYTES = 4096;

/** Instantiating such a module changes no byte of a memory: there is nothing that could. */
const ALLOWED = new Set(['type', 'import', 'function', 'global', 'export', 'code']);

const LOOPS = [
  ...['change', 'clear', 'copy', 'countLive', 'firstDifference', 'firstLive', 'lastLive', 'matching'],
  ...['findEntry', 'findEntry4', 'walkMany', 'writeLinear', 'writeNarrow', 'writeWide'],
];
const ATOMICS = ['cas64', 'high', 'load64', 'store64'];

/**
 * What is wrong with a binary.
 *
 * @param {string} name
 * @param {Uint8Array} bytes
 * @param {boolean} isShared
 */
export function checkBinary(name, bytes, isShared) {
  /** @type {string[]} */
  const problems = [];
  const expect = (/** @type {boolean} */ holds, /** @type {string} */ what) => {
    if (!holds) problems.push(`loops (${name}): ${what}`);
  };
  expect(bytes.length < BYTES, `${bytes.length} bytes, not below ${BYTES}`);

  const { sections, imports, exports } = readModule(bytes);
  for (const section of sections) expect(ALLOWED.has(section), `has a section "${section}"`);
  // The one global is the high word that load64 leaves.
  expect(sections.includes('global') === isShared, 'has globals, or lacks one');

  expect(imports.length === 1 && imports[0]?.name === 'env.memory', 'imports more or less than a memory');
  const { flags, minimum, maximum } = imports[0]?.limits ?? { flags: -1, minimum: -1, maximum: -1 };
  // Any memory fits: a maximum would refuse those that have none, and a shared import must name one.
  expect(flags === (isShared ? 3 : 0), `its memory has the flags ${flags}`);
  expect(minimum === 0 && (!isShared || maximum === 65536), `its memory is ${minimum} to ${maximum} pages`);

  const wanted = isShared ? [...LOOPS, ...ATOMICS] : LOOPS;
  const names = exports.map((one) => one.name);
  expect(names.toSorted().join() === wanted.toSorted().join(), `exports ${names.join(', ')}`);
  for (const one of exports) expect(one.kind === 'function', `exports ${one.name}, a ${one.kind}`);
  return problems;
}
