import type { Configuration } from '@vmarea/core';
import * as v from 'valibot';
import { expect } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import type { Job, Measured } from '../../src/speed/job.js';
import { runJob } from '../../src/speed/run-job.js';
import { capture } from './capture.js';
import { speedShape } from './shapes.js';

const { configurations } = await installedFormats('/');

/** An installed configuration. */
export function configurationOf(name: string): Configuration {
  const found = configurations.find((one) => one.name === name);
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
}

/** One workload for as few rounds as show whether rounds are equal. */
export async function measured(
  configuration: Configuration,
  workload: string,
  job: Partial<Job> = {},
): Promise<Measured> {
  const { name } = configuration;
  const plain = { configuration: name, variant: 'wasm', pages: 64, seed: 1, rounds: 1 } as const;
  const [one] = await runJob(
    { ...plain, warmUp: 1, warmUpMs: 0, workloads: [workload], ...job },
    configuration,
  );
  if (one === undefined) throw new Error(`nothing was measured of ${workload}`);
  return one;
}

/** Arguments of a run that takes milliseconds, in this process and without a compiler. */
export const small = [
  ...['speed', '--pages', '64', '--repeat', '3', '--passes', '2', '--warm-up', '0'],
  ...['--variant', 'wasm,array'],
];

/** The result of a run with `--json`, when it went well. */
export async function speedJson(
  args: readonly string[],
  env = {},
): Promise<v.InferOutput<typeof speedShape>> {
  const { code, out, err } = await capture([...args, '--json'], { env });
  expect(err).toBe('');
  expect(code).toBe(0);
  return v.parse(speedShape, JSON.parse(out));
}
