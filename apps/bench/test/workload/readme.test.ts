import { readFileSync } from 'node:fs';
import { chooseUsual } from '@vmarea/cli';
import { describe, expect, it } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { TEST_CASES } from '../../src/workload/cases/index.js';
import { capture } from '../support/capture.js';

const readme = readFileSync(new URL('../../../../README.md', import.meta.url), 'utf8');
const [, command = ''] = /`npm run bench -- (workload all[^`\n]*)`/.exec(readme) ?? [];
const usual = chooseUsual(await installedFormats('/'), undefined);

describe('the workload command of the README', () => {
  it('names its size', () => {
    expect(command).toMatch(/^workload all --test-loop-count \d+$/);
  });

  // Of each architecture and page size one. `npm run documents` runs the command as it stands there: on all.
  it.each(usual.map(({ name }) => name))('passes all cases on %s', async (format) => {
    const { code, out, err } = await capture([...command.split(' '), '--format', format]);
    expect(err).toBe('');
    expect(code).toBe(0);
    const passed = [...out.matchAll(/^Summary: (\w+) passed: (\d) failed: 0 xfailed: (\d)/gm)];
    expect(passed.map(([, name]) => name)).toEqual(TEST_CASES.map(({ name }) => name));
    for (const [line, , right, expected] of passed) expect(Number(right) + Number(expected), line).toBe(1);
  });
});
