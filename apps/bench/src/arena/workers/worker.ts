import { type Arena, attachArena, createArena } from '@vmarea/arena';
import { CheckError } from '@vmarea/cli';
import { AddressSpace, attach, type Configuration, type Process, Threads, wasmLoops } from '@vmarea/core';
import { installedFormats } from '../../formats.js';
import { doRounds, tellingFailure, type WorkerRound } from '../../workers/rounds.js';
import { USER_START } from '../bed.js';
import { ACCESSES, type ArenaWorkerJob, BATCH, OWN_PAGES, TURNS, WORKS, type WorkName } from './job.js';
import { machineFor } from './machine.js';

/** How often a worker passes a quiescent point: what it frees waits for one. */
const QUIESCE_EACH = 32;

/** True for the data of a worker of `arena --workers`. */
export function isArenaWorkerJob(data: unknown): data is ArenaWorkerJob {
  return typeof data === 'object' && data !== null && 'vmareaArenaWorker' in data;
}

/** Does the rounds that the lead asks for, until it ends them. Tells the lead of a mistake. */
export function runArenaWorker(job: ArenaWorkerJob): Promise<void> {
  return tellingFailure(() => work(job));
}

async function work({ vmareaArenaWorker: job }: ArenaWorkerJob): Promise<void> {
  const { configurations } = await installedFormats(job.cwd);
  const found = configurations.find(({ name }) => name === job.configuration);
  if (found === undefined) throw new Error(`no configuration ${job.configuration}`);
  const { format, linux, userFormat } = found;
  const { kernel, process, threads } = attach(job.description, {
    formats: userFormat === undefined ? [format] : [format, userFormat],
    policies: [linux],
    loops: wasmLoops,
  });
  const arena = attachArena(kernel, job.arena);
  const place = { arena, process, threads, index: job.index, pageBytes: 2 ** format.pageShift };
  const rounds = WORKS.map(([name]) =>
    name === 'apart' ? allocating({ ...place, ...ownArena(found, job.workers) }, 1) : openWork(name, place),
  );
  doRounds(job, rounds, threads);
  for (const round of rounds) round.end();
  while (threads.pending > 0) {
    threads.quiesce();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
  threads.leave();
}

/** What one worker needs for its rounds. */
interface Place {
  readonly arena: Arena;
  /** The worker's own process, which maps the arena. */
  readonly process: Process;
  readonly threads: Threads;
  readonly index: number;
  readonly pageBytes: number;
}

/** An arena like that of all workers, which no other worker knows. */
function ownArena({ format, linux }: Configuration, workers: number): Pick<Place, 'arena' | 'threads'> {
  const threads = Threads.create();
  const { memory, tables, ram } = machineFor(format.pageShift, workers, threads);
  const kernel = new AddressSpace({ format, linux, memory, frames: tables, ram, threads });
  return { arena: createArena(kernel, { maxEntries: workers * OWN_PAGES, mapExtra: USER_START }), threads };
}

function openWork(name: Exclude<WorkName, 'apart'>, place: Place): WorkerRound {
  switch (name) {
    case 'pages':
      return allocating(place, 1);
    case 'batches':
      return allocating(place, BATCH);
    case 'faults':
      return faulting(place);
    case 'accesses':
      return accessing(place);
  }
}

/** Allocates and frees, at slots of the worker: so that both find the same work, alone and together. */
function allocating({ arena, threads, index, pageBytes }: Place, count: number): WorkerRound {
  const turns = (TURNS * OWN_PAGES) / count;
  const hint = USER_START + BigInt(index * OWN_PAGES * pageBytes);
  let failed = 0;
  let reason: string | undefined;
  return {
    run() {
      failed = 0;
      for (let i = 0; i < turns; i++) {
        if (arena.allocPages(hint, count) !== hint) {
          failed++;
          reason = arena.lastFailure?.reason;
        }
        if (arena.freePages(hint, count) !== 'freed') failed++;
        if (count > 1 || i % QUIESCE_EACH === 0) threads.quiesce();
      }
    },
    check() {
      if (failed > 0) throw new CheckError(`${failed} of ${2 * turns} calls failed: ${reason}`);
    },
    end() {},
  };
}

function faulting({ arena, process, threads, index, pageBytes }: Place): WorkerRound {
  const addresses = Array.from(
    { length: OWN_PAGES },
    (_, i) => USER_START + BigInt((index * OWN_PAGES + i) * pageBytes),
  );
  let failed = 0;
  return {
    run() {
      failed = 0;
      for (let i = 0; i < TURNS * OWN_PAGES; i++) {
        const address = addresses[i % OWN_PAGES] as bigint;
        if (process.handleFault(address, 'write') !== 'mapped') failed++;
        if (arena.freePages(address, 1) !== 'freed') failed++;
        if (i % QUIESCE_EACH === 0) threads.quiesce();
      }
    },
    check() {
      if (failed > 0) throw new CheckError(`${failed} faults or frees failed`);
    },
    end() {},
  };
}

function accessing({ arena, index, pageBytes }: Place): WorkerRound {
  const view = arena.view();
  const low = index * OWN_PAGES * pageBytes;
  const pages = 16;
  const address = USER_START + BigInt(low);
  let sum = 0;
  return {
    run() {
      if (arena.allocPages(address, pages) !== address) return;
      sum = 0;
      for (let i = 0; i < ACCESSES; i += 2) {
        const at = low + ((i * 68) % (pages * pageBytes));
        view.store32(at, 0, 1);
        sum += view.loadSigned32(at);
      }
      arena.freePages(address, pages);
    },
    check() {
      if (sum !== ACCESSES / 2) throw new CheckError(`the loads give ${sum}, expected ${ACCESSES / 2}`);
    },
    end() {},
  };
}
