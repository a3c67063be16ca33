import { describe, expect, test } from 'vitest';
import { bytesSource, openImage } from '../../src/index.js';
import { differences, dumpOf, leavesOf, releaseOf, rootOf, SETS, truthOf } from '../support/dumps.js';

describe.each(SETS.flatMap(({ name, codecs, roots }) => codecs.map((codec) => ({ name, codec, roots }))))(
  'the dump of $name in $codec',
  ({ name, codec, roots }) => {
    const image = openImage(bytesSource(dumpOf(name, codec)));

    test('is a kdump with its notes and the text of its kernel', () => {
      expect(image.container).toEqual({ kind: 'kdump', isFlattened: false, files: 1 });
      expect(image.notes.map((note) => note.name)).toContain('VMCOREINFO');
      expect(image.vmcoreinfo?.value('OSRELEASE')).toBe(releaseOf(name));
      expect(image.pageSize).toBe(4096);
    });

    test.each(roots)('has every leaf of the root %s, row by row', (root) => {
      expect(differences(leavesOf(name, root, image.memory), truthOf(name, root))).toEqual([]);
    });

    test('tells the pages that it has from those that it left out', () => {
      expect(image.stateOf(rootOf(name, 'kernel'))).toBe('present');
      const [first] = image.ranges();
      expect(image.stateOf(first?.address ?? 0n)).toBe('excluded');
      expect(image.whyNot(first?.address ?? 0n)).toContain('left the page out');
      expect(image.stateOf(1n << 51n)).toBe('absent');
      expect(image.warnings).toEqual([expect.stringMatching(/pages were left out of the dump/)]);
    });
  },
);
