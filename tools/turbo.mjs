// node tools/turbo.mjs TASK... [OPTION...]: `turbo run` on a machine that has nothing but Node and npm.
import { runTurbo } from './support/run-turbo.mjs';

process.exitCode = await runTurbo(process.argv.slice(2));
