import { parentPort, workerData } from 'node:worker_threads';
import { type Orders, runStation } from '../../../packages/core/test/threads/stress/runner.js';
import { attachStation } from './station.js';

// A thread of the stress test of address spaces, in Node.
runStation(attachStation, workerData as Orders, (said) => parentPort?.postMessage(said));
