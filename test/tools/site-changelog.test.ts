import { describe, expect, test } from 'vitest';
import { changelogText } from '../../tools/site/changelog.mjs';

const order = ['@vmarea/core', '@vmarea/mmu'];
const change = (summary: string, ...names: string[]) => ({
  summary,
  releases: names.map((name) => ({ name, type: 'minor' })),
});

describe('changelogText', () => {
  test('has what the next release brings, by packages in their order', () => {
    expect(
      changelogText([change('B.', '@vmarea/mmu', '@vmarea/core'), change('A.\n', '@vmarea/core')], [], order),
    ).toBe(
      [
        '# Changelog',
        '',
        '## Next release',
        '',
        '### `@vmarea/core`',
        '',
        'A.',
        '',
        '### `@vmarea/core`, `@vmarea/mmu`',
        '',
        'B.',
        '',
      ].join('\n'),
    );
  });

  test('has the changelogs that releases wrote below the packages, a level deeper', () => {
    const text = '# @vmarea/core\n\n## 1.0.0\n\n### Minor Changes\n\n- 123abc: Added it.\n';
    expect(changelogText([], [{ name: '@vmarea/core', text }], order)).toBe(
      '# Changelog\n\n## @vmarea/core\n\n### 1.0.0\n\n#### Minor Changes\n\n- 123abc: Added it.\n',
    );
  });
});
