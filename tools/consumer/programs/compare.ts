import { planLayout, readAreas, tooLarge } from '@vmarea/compare';
import { configurations } from '@vmarea/x86-64';

const text = '0xffffc90000000000-0xffffc90000005000   20480 dup_task_struct+0x57/0x460 pages=4 vmalloc\n';

/** Reads an area, places it, and counts the tables that it needs. */
export function run(): string {
  const { requests, summary } = readAreas(text);
  const [configuration] = configurations;
  if (configuration === undefined) throw new Error('no configuration');
  const plan = planLayout(requests, configuration, 'huge');
  if (plan.pages !== 4 || plan.tableFrames !== 4 || tooLarge([plan], 2 ** 20) !== null)
    throw new Error(`${plan.pages} pages, ${plan.tableFrames} tables`);
  return `${summary.lines} line, ${plan.pages} pages, ${plan.tableFrames} tables`;
}
