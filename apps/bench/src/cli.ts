#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { isMainThread, workerData } from 'node:worker_threads';
import { isArenaWorkerJob, runArenaWorker } from './arena/workers/worker.js';
import { EXIT_INTERNAL } from './errors.js';
import { endBy } from './process/cleanup.js';
import { run } from './run.js';
import { isWorkerJob, runWorker } from './speed/workers/worker.js';

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader closed the pipe, as `head` does. The work ends, as it does in other tools.
    if (error.code === 'EPIPE') endBy('SIGPIPE');
    else if (stream === process.stderr) process.exit(EXIT_INTERNAL);
    else {
      process.stderr.write(`vmarea-bench: cannot write the result: ${error.message}\n`);
      process.exit(EXIT_INTERNAL);
    }
  });
}

if (!isMainThread && isWorkerJob(workerData)) await runWorker(workerData);
else if (!isMainThread && isArenaWorkerJob(workerData)) await runArenaWorker(workerData);
else
  process.exitCode = await run(process.argv.slice(2), {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    script: fileURLToPath(import.meta.url),
  });
