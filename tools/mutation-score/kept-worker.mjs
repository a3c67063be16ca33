// A worker of vitest that stays for the next mutant: a new one takes half a second to load vitest and core, and the few tests
// that reach a mutant take a tenth of that. Vitest ends its workers after each run, so this answers in their place.
import { Worker } from 'node:worker_threads';

/** @typedef {import('vitest/node').WorkerRequest} Message */
/** @typedef {(value: any) => void} Listener */

/** Runs after which a worker is replaced, as what a mutant has left in a module may grow. */
const RUNS = 200;

/** @type {{ thread: Worker, runs: number } | null} */
let kept = null;

class KeptWorker {
  name = 'kept';
  /** @type {[string, Listener][]} */
  #listeners = [];
  #isNew = false;
  /** What the worker would be told at its start: it has the filter of names. @type {any} */
  config;
  #options;

  /** @param {import('vitest/node').PoolOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** Begins with the worker of the run before, if there was one. */
  async start() {
    if (kept !== null && kept.runs >= RUNS) await discard();
    if (kept !== null) return;
    const { distPath, env, execArgv } = this.#options;
    const thread = new Worker(`${distPath}/workers/threads.js`, { env, execArgv });
    thread.once('exit', () => {
      if (kept?.thread === thread) kept = null;
    });
    kept = { thread, runs: 0 };
    this.#isNew = true;
  }

  /** @param {Message} message */
  send(message) {
    if (message.type === 'start') {
      this.config = message.context.config;
      if (!this.#isNew) return this.#answer('started');
    }
    if (message.type === 'stop') return this.#answer('stopped');
    if (message.type === 'run' && kept !== null) {
      kept.runs++;
      const { context } = message;
      // The tests of an earlier run are loaded anew, else they would not be found.
      const invalidates = context.files.map(({ filepath }) => filepath);
      const { config } = this;
      message = { ...message, context: Object.assign({}, context, { config, invalidates }) };
    }
    kept?.thread.postMessage(message);
  }

  /**
   * @param {string} event
   * @param {Listener} listener
   */
  on(event, listener) {
    this.#listeners.push([event, listener]);
    kept?.thread.on(event, listener);
  }

  /**
   * @param {string} event
   * @param {Listener} listener
   */
  off(event, listener) {
    kept?.thread.off(event, listener);
  }

  async stop() {
    for (const [event, listener] of this.#listeners) kept?.thread.off(event, listener);
  }

  /** @param {unknown} message */
  deserialize(message) {
    return message;
  }

  /** @param {string} type */
  #answer(type) {
    const message = { type, __vitest_worker_response__: true };
    setImmediate(() => {
      for (const [event, listener] of this.#listeners) if (event === 'message') listener(message);
    });
  }
}

async function discard() {
  const thread = kept?.thread;
  kept = null;
  await thread?.terminate();
}

/** A plugin of vite: Stryker asks for threads, whatever the configuration says. */
export const keptWorkers = {
  name: 'kept-workers',
  /** @param {{ vitest: import('vitest/node').Vitest, project: import('vitest/node').TestProject }} context */
  configureVitest({ vitest, project }) {
    vitest.onClose(discard);
    project.config.pool = 'kept';
    project.config.poolRunner = {
      name: 'kept',
      createPoolWorker: (/** @type {import('vitest/node').PoolOptions} */ options) => new KeptWorker(options),
    };
  },
};
