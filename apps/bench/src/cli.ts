#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { isMainThread, workerData } from 'node:worker_threads';
import { endWithStreams } from '@vmarea/cli';
import { isArenaWorkerJob, runArenaWorker } from './arena/workers/worker.js';
import { run } from './run.js';
import { isWorkerJob, runWorker } from './speed/workers/worker.js';

endWithStreams('vmarea-bench');

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
