/** What the page is drawn in: what the system says, or what the person chose. */
class Theme {
  chosen = $state<'light' | 'dark' | null>(null);
  #systemIsDark = $state(false);

  constructor() {
    const query = matchMedia('(prefers-color-scheme: dark)');
    this.#systemIsDark = query.matches;
    query.addEventListener('change', ({ matches }) => {
      this.#systemIsDark = matches;
    });
    const kept = recall();
    if (kept === 'light' || kept === 'dark') this.choose(kept);
  }

  /** True when it is dark. */
  get isDark(): boolean {
    return this.chosen === null ? this.#systemIsDark : this.chosen === 'dark';
  }

  toggle(): void {
    this.choose(this.isDark ? 'light' : 'dark');
  }

  choose(theme: 'light' | 'dark'): void {
    this.chosen = theme;
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem('theme', theme);
    } catch {
      // A browser may forbid it. The choice then lasts as long as the page.
    }
  }
}

function recall(): string | null {
  try {
    return localStorage.getItem('theme');
  } catch {
    return null;
  }
}

export const theme = new Theme();
