import { readModule } from './sections.mjs';

/** Browsers compile smaller modules synchronously, on the main thread too. Chrome's limit is 4 KiB. */
const BYTES = 4096;

/** With these sections alone, an instance changes no byte of its memory. */
const ALLOWED = new Set(['type', 'import', 'function', 'global', 'export', 'code']);

const LOOPS = [
  ...['change', 'clear', 'copy', 'countLive', 'firstDifference', 'firstLive', 'lastLive', 'matching'],
  ...['findEntry', 'findEntry4', 'walkMany', 'writeLinear', 'writeNarrow', 'writeWide'],
];
const ATOMICS = ['cas64', 'claimLinear', 'claimNarrow', 'high', 'load64', 'store64', 'take64'];

/**
 * Checks a binary.
 *
 * @param {string} name
 * @param {Uint8Array} bytes
 * @param {boolean} isShared
 * @returns {string[]} what is wrong with it.
 */
export function checkBinary(name, bytes, isShared) {
  /** @type {string[]} */
  const problems = [];
  const expect = (/** @type {boolean} */ holds, /** @type {string} */ what) => {
    if (!holds) problems.push(`loops (${name}): ${what}`);
  };
  expect(bytes.length < BYTES, `has ${bytes.length} bytes; the limit is ${BYTES}`);

  const { sections, imports, exports } = readModule(bytes);
  for (const section of sections)
    expect(ALLOWED.has(section), `has a section "${section}", which may write to the memory`);
  // The one global is the high word that load64 leaves.
  expect(sections.includes('global') === isShared, isShared ? 'lacks its global' : 'has a global');

  expect(
    imports.length === 1 && imports[0]?.name === 'env.memory',
    'must import one memory and nothing else',
  );
  const { flags, minimum, maximum } = imports[0]?.limits ?? { flags: -1, minimum: -1, maximum: -1 };
  // Every memory must fit. A maximum would refuse a memory without one, but a shared import must have a maximum.
  expect(flags === (isShared ? 3 : 0), `its memory has the flags ${flags}`);
  expect(minimum === 0 && (!isShared || maximum === 65536), `its memory is ${minimum} to ${maximum} pages`);

  const wanted = isShared ? [...LOOPS, ...ATOMICS] : LOOPS;
  const names = exports.map((one) => one.name);
  expect(names.toSorted().join() === wanted.toSorted().join(), `exports ${names.join(', ')}`);
  for (const one of exports) expect(one.kind === 'function', `exports ${one.name}, a ${one.kind}`);
  return problems;
}
