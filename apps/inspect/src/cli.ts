#!/usr/bin/env node
import { endWithStreams } from '@vmarea/cli';
import { run } from './run.js';

endWithStreams('vmarea-inspect');

process.exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
});
