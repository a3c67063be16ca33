import { existsSync } from 'node:fs';
import { defineConfig, type Options } from 'tsup';

// One configuration for every package: tsup runs in the package's folder, and the files there say what it is.

const common: Options = { target: 'es2023', sourcemap: true, silent: true };

/** src/index.ts: ES module, CommonJS module, and declarations for each. */
const library: Options = {
  ...common,
  entry: ['src/index.ts'],
  format: ['esm', 'cjs'],
  platform: 'neutral',
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
};

/** src/cli.ts: one ES module for Node. */
const command: Options = {
  ...common,
  entry: ['src/cli.ts'],
  format: ['esm'],
  platform: 'node',
};

export default defineConfig([library, command].filter((options) => existsSync(String(options.entry))));
