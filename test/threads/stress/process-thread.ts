import { parentPort, workerData } from 'node:worker_threads';
import { type Orders, runStation } from '../../../packages/core/test/threads/stress/runner.js';
import { attachProcesses } from './process-station.js';

// A thread of the stress test of processes, in Node.
runStation(attachProcesses, workerData as Orders, (said) => parentPort?.postMessage(said));
