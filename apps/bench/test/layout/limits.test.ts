import { memoryLimit } from '@vmarea/cli';
import {
  type AreaRequest,
  type Content,
  type Kind,
  type LeafPolicy,
  lengthOf,
  type Plan,
  planLayout as plan,
  rebuildLayout as rebuild,
} from '@vmarea/compare';
import type { Configuration } from '@vmarea/core';
import { describe, expect, it } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { checkPlans } from '../../src/layout/limits.js';
import { capture } from '../support/capture.js';

const GiB = 2 ** 30;
const TiB = 2 ** 40;
const { configurations } = await installedFormats('/');

function formatOf(name: string): Configuration {
  const found = configurations.find((one) => one.name === name);
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
}

function area(line: number, kind: Kind, content: Content, bytes: number): AreaRequest {
  return { line, kind, caller: 'f', bytes, guard: true, content, unknownContent: false };
}

/** 16 TiB of a device, at a physical address that is a multiple of 16 TiB. */
const device = area(3, 'ioremap', { type: 'range', physical: 2n ** 44n, bytes: 16 * TiB }, 16 * TiB);
const memory = area(5, 'vmalloc', { type: 'frames', bytes: 512 * GiB }, 512 * GiB);

function refusal(plans: readonly Plan[], limit: number): string {
  try {
    checkPlans(plans, 'areas.txt', limit);
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

const planned = (requests: readonly AreaRequest[], policy: LeafPolicy, name = 'x86-64'): Plan =>
  plan(requests, formatOf(name), policy);

describe('a layout that needs too much memory', () => {
  it('is refused by the line of its largest area, with what it needs and the limit', () => {
    const small = area(1, 'vmalloc', { type: 'frames', bytes: 4096 }, 4096);
    // 2^32 pages: 2^23 tables of pages, 2^14 above them, 32 above those, the root.
    expect(refusal([planned([small, device], 'base')], 8 * GiB)).toBe(
      'areas.txt:3: an area of 16,384 GiB is too large for x86-64 with base leaves: the layout needs 32 GiB of ' +
        "memory, 32 GiB of it for page tables; a run may use 8.0 GiB, half of this machine's memory. " +
        'Take the line out, or try --leaves huge or another --format',
    );
  });

  it('counts the lists of frames too', () => {
    // 2^27 frames of 7 bytes, and a table for each 512 of them.
    const text = refusal([planned([memory], 'base')], GiB);
    expect(text).toMatch(
      /^areas\.txt:5: an area of 512 GiB .* needs 1\.9 GiB of memory, 1\.0 GiB of it for page/,
    );
    expect(refusal([planned([memory], 'base')], 2 * GiB)).toBe('none');
  });

  it('is refused when it has more frames than a run can list, whatever the memory', () => {
    const huge = area(7, 'vmalloc', { type: 'frames', bytes: 4 * TiB }, 4 * TiB);
    expect(refusal([planned([huge], 'huge')], Number.POSITIVE_INFINITY)).toMatch(
      /^areas\.txt:7: .* has 1,073,741,824 frames to list; a run lists at most 536,870,912\. Take the line out/,
    );
  });

  it('ends the command with exit code 2 before it builds anything', async () => {
    const bytes = 2 ** 45;
    const line = `0x0-0x0 ${bytes + 4096} a+0x1/0x2 phys=100000000000 ioremap\n`;
    const small = '0x0-0x0 8192 a+0x1/0x2 pages=1 vmalloc\n';
    const args = ['layout', '--repeat', '1', '--format', 'x86-64-la57', '--leaves', 'base'];
    // 2^33 pages have 64 GiB of tables: more than half of most machines. Where it is not, nothing is shown.
    if (memoryLimit() > 64 * GiB) return;
    const { code, out, err } = await capture([...args, '--vmallocinfo', '-'], { stdin: small + line });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(
      /^vmarea-bench: standard input:2: an area of 32,768 GiB is too large for x86-64-la57/,
    );
  });
});

describe('a large layout with large leaves', () => {
  it.each(configurations.map((one) => [one.name, one] as const))(
    'of 16 TiB of device memory is rebuilt in %s: its tables fit into those that were counted',
    async (_, configuration) => {
      const odd = area(4, 'ioremap', { type: 'range', physical: 0x1234_5000n, bytes: 3 * GiB }, 3 * GiB);
      const block = area(6, 'vmalloc', { type: 'frames', bytes: GiB + 4096 }, GiB + 4096);
      const one = plan([odd, device, block], configuration, 'huge');
      const reports: number[] = [];
      const step = async (pages: number) => {
        reports.push(pages);
      };
      const row = await rebuild(one, { seed: 1, repeat: 1, warmUp: 0, step });
      expect(row.mapped.pages).toBe(one.pages);
      expect(row.tables.frames).toBeLessThanOrEqual(one.tableFrames);
      // A portion has at most 2^22 pages: the run tells how far it is all the time.
      expect(Math.max(...reports)).toBeLessThanOrEqual(2 ** 22);
      expect(reports.reduce((sum, pages) => sum + pages, 0)).toBe(lengthOf(one, 1));
    },
  );
});
