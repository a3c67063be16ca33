/**
 * Three workers fill one sparse area, and one of them dies in the middle of it. The others go on, `recover` mends what the dead
 * one left, and `check` finds nothing wrong.
 */
import { isMainThread, workerData } from 'node:worker_threads';
import { lead } from './lead.mjs';
import { work } from './worker.mjs';

if (isMainThread) await lead();
else work(workerData);
