import { parentPort } from 'node:worker_threads';
import { attach, wasmLoops } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

/**
 * Maps pages of the area that another thread has made. The last worker goes on for ever.
 *
 * @param {{
 *   description: import('@vmarea/core').Description<{ kernel: import('@vmarea/core').AddressSpace }>,
 *   address: bigint, lane: number, lanes: number, pages: number,
 * }} told
 */
export function work({ description, address, lane, lanes, pages }) {
  const { kernel, threads } = attach(description, {
    formats: [x8664()],
    policies: [x8664Linux()],
    loops: wasmLoops,
  });
  const area = kernel.findVmArea(address);
  if (area === null) throw new Error('the area is gone');
  for (let page = 0; page < pages || lane === 2; page++) {
    const at = (page % 20000) * lanes + lane;
    if (page >= 20000) area.unmap(at);
    area.map(at, 0x100000 + page);
    if (page % 64 === 0) threads.quiesce();
    if (page === 500) parentPort?.postMessage('on the way');
  }
  threads.leave();
}
