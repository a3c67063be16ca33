import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Console } from '@vmarea/cli';
import { CheckError, outputOf, type TemporaryFolder, temporaryFolder } from '@vmarea/cli';
import { appFile } from '../app-root.js';
import type { Job, Measured } from './job.js';

/** The compiled page tables in C. */
export interface Reference {
  /** The first line of the compiler's version, and its options. */
  readonly compiler: string;
  /** Measures workloads in a new process. */
  run(
    job: Pick<Job, 'workloads' | 'pages' | 'seed' | 'rounds' | 'warmUp' | 'warmUpMs'>,
  ): Promise<readonly Measured[]>;
  /** Removes the compiled program. */
  close(): void;
}

const OPTIONS = ['-std=c11', '-O3'];

/** A line that the program prints. */
interface Line {
  readonly workload: string;
  readonly units: number;
  readonly tables: number;
  readonly checksum: number;
  readonly ns: readonly number[];
}

/**
 * Compiles the C reference with the system's compiler: `CC` from the environment, else `cc`.
 *
 * @returns a string with the reason when that fails. Then there are no ratios, and all else is measured.
 */
export async function buildReference(env: Console['env']): Promise<Reference | string> {
  const [command = 'cc', ...own] = (env.CC?.trim() || 'cc').split(/\s+/);
  let folder: TemporaryFolder | undefined;
  try {
    const [version = command] = (await outputOf(command, [...own, '--version'])).split('\n');
    folder = temporaryFolder('vmarea-bench-');
    const program = join(folder.path, 'reference');
    const sources = await readdir(appFile('reference'));
    const files = sources
      .filter((name) => name.endsWith('.c'))
      .map((name) => join(appFile('reference'), name));
    // A killed compiler leaves its temporary files. Here they are in the folder.
    const env = { ...process.env, TMPDIR: folder.path };
    await outputOf(command, [...own, ...OPTIONS, '-o', program, ...files], { env });
    return {
      compiler: [version.trim(), ...own, ...OPTIONS].join(' '),
      run: (job) => run(program, job),
      close: () => folder?.remove(),
    };
  } catch (error) {
    folder?.remove();
    const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    return `the columns of C are n/a, since ${command} cannot be used (${line})`;
  }
}

async function run(
  program: string,
  { workloads, pages, seed, rounds, warmUp, warmUpMs }: Parameters<Reference['run']>[0],
): Promise<Measured[]> {
  let out: string;
  try {
    out = await outputOf(program, [
      workloads.join(','),
      ...[pages, seed, rounds, warmUp, warmUpMs].map(String),
    ]);
  } catch (error) {
    throw new CheckError(`the C reference failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  return out
    .trim()
    .split('\n')
    .map((text) => ({ ...(JSON.parse(text) as Line), loops: 'c' as const, work: null }));
}
