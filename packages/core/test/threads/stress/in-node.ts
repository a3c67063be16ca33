import { Worker } from 'node:worker_threads';
import { programOf } from '../worker.js';
import type { Start } from './driver.js';

/** Starts threads of a program in Node. */
export function startInNode(entry: URL): Start {
  const program = programOf(entry);
  return (orders, hear, fail) => {
    const worker = new Worker(program, { eval: true, workerData: orders });
    worker.on('message', hear);
    worker.on('error', fail);
    return { end: () => worker.terminate() };
  };
}
