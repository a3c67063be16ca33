import { type Host, serve } from '../messages/serve.js';
import type { TryCalls } from './calls.js';
import { runProgram } from './run-program.js';

serve<TryCalls>(globalThis as unknown as Host, { run: ({ code }) => runProgram(code) });
