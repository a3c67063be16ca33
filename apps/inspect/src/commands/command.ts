import { type Command, type Console, commandOf, UsageError } from '@vmarea/cli';
import { VmError } from '@vmarea/core';
import type { ArgsDef } from 'citty';

/**
 * A command. What vmarea refuses is a mistake in the command line or in the dump, and ends it with exit code 2.
 *
 * @param examples - command lines without the program's name.
 */
export function inspectCommand<Values>(
  name: string,
  description: string,
  args: ArgsDef,
  run: (values: Values, io: Console) => Promise<void>,
  examples: readonly string[],
): Command {
  const checked = async (values: Values, io: Console): Promise<void> => {
    try {
      await run(values, io);
    } catch (error) {
      if (!(error instanceof VmError)) throw error;
      throw new UsageError(
        error.message.replace(/^[A-Z0-9]+(?: at (0x[\da-f]+))?: /, (_, at) => (at ? `${at}: ` : '')),
        {
          cause: error,
        },
      );
    }
  };
  return commandOf(
    name,
    description,
    args,
    checked,
    examples.map((line) => `vmarea-inspect ${line}`),
  );
}
