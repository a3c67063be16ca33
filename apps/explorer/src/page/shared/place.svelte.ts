import { hashOf, type Place, parseHash, type View } from './hash.js';

/** Where the page is: what its hash names. */
class CurrentPlace {
  now = $state<Place>(parseHash(location.hash));

  constructor() {
    addEventListener('hashchange', () => {
      this.now = parseHash(location.hash);
    });
  }

  /** Names another state of the same view, without a step in the history. */
  replace(view: View, params: Readonly<Record<string, string | number | null>>): void {
    const hash = hashOf(view, params);
    if (hash !== location.hash) history.replaceState(null, '', hash);
  }
}

export const place = new CurrentPlace();
