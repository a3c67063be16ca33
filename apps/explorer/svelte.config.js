import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

export default {
  // TypeScript in markup needs it.
  preprocess: vitePreprocess(),
};
