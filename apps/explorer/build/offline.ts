import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

const script = new URL('../offline/service-worker.js', import.meta.url);

/** Emits the service worker with the names of all files, so that the page works without a network after its first load. */
export function offline(): Plugin {
  return {
    name: 'offline',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const names = Object.keys(bundle).sort();
      const hash = createHash('sha256');
      for (const name of names) {
        const file = bundle[name];
        hash.update(name).update(file?.type === 'chunk' ? file.code : (file?.source ?? ''));
      }
      const source = readFileSync(script, 'utf8')
        .replace('__VERSION__', hash.digest('hex').slice(0, 16))
        .replace("'__FILES__'", JSON.stringify(names.map((name) => (name === 'index.html' ? './' : name))));
      this.emitFile({ type: 'asset', fileName: 'service-worker.js', source });
    },
  };
}
