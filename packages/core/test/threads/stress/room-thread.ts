import { parentPort, workerData } from 'node:worker_threads';
import { attach } from './room.js';
import { runStation } from './runner.js';

runStation(attach, workerData, (said) => parentPort?.postMessage(said));
