import { type Host, serve } from '../messages/serve.js';
import type { TryCalls } from './calls.js';
import { runProgram } from './run-program.js';

/** Promises that nobody waits for fail like the program. */
const failures: unknown[] = [];
addEventListener('unhandledrejection', (event) => {
  event.preventDefault();
  failures.push(event.reason);
});

serve<TryCalls>(globalThis as unknown as Host, {
  run: ({ code }, _, tell) =>
    runProgram(code, tell, async () => {
      // The browser tells of them after the program.
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (failures.length > 0) throw failures[0];
    }),
});
