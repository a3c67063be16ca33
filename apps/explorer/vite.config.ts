import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { bundledTables } from './build/bundled-tables.js';
import { offline } from './build/offline.js';

export default defineConfig({
  // The page works in any folder of any static host.
  base: './',
  plugins: [svelte(), bundledTables(), offline()],
  // Packages from their sources: no other build is needed.
  resolve: { conditions: ['@vmarea/source', 'module', 'browser', 'development|production'] },
  worker: { format: 'es' },
  build: { target: 'es2023', modulePreload: { polyfill: false } },
});
