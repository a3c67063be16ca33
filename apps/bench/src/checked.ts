import { CheckError, type Console } from '@vmarea/cli';
import { WrongResult } from '@vmarea/compare';

/** A command whose wrong results end the run with a message, without a stack trace. */
export function checked<Values>(
  run: (values: Values, io: Console) => Promise<void>,
): (values: Values, io: Console) => Promise<void> {
  return async (values, io) => {
    try {
      await run(values, io);
    } catch (error) {
      throw error instanceof WrongResult ? new CheckError(error.message, { cause: error }) : error;
    }
  };
}
