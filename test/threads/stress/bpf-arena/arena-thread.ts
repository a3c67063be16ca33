import { parentPort, workerData } from 'node:worker_threads';
import { type Orders, runStation } from '../../../../packages/core/test/threads/stress/runner.js';
import { attachArenaStation } from './station.js';

// A thread of the stress test of an arena, in Node.
runStation(attachArenaStation, workerData as Orders, (said) => parentPort?.postMessage(said));
