import { UsageError } from '@vmarea/cli';
import { VmError } from '@vmarea/core';

/** What a library refuses, as a mistake of the caller: which option helps. */
const HELP: Readonly<Record<string, string>> = {
  E2BIG:
    'Fewer rows need less (--format, --leaves, --preset), and so do larger --dense and a part of the trace',
  EINVAL: '--root names the root table in the image',
};

/** Runs something, and names options where it is refused. */
export async function refusing<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    const help = error instanceof VmError ? HELP[error.code] : undefined;
    if (help === undefined) throw error;
    throw new UsageError(`${(error as VmError).message}. ${help}`, { cause: error });
  }
}
