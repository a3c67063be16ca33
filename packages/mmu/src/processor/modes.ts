import {
  type Controls,
  completeControls,
  type PageTableFormat,
  type PhysicalMemory,
  planOf,
  type Translation,
} from '@vmarea/core';
import { Rights } from './rights.js';
import { MOST_MODES } from './spaces.js';
import { WalkRoot } from './walk-root.js';

/** The formats of a processor's roots, with its controls: all that rights depend on beside the tables. */
export class Mode {
  readonly index: number;
  readonly roots: readonly WalkRoot[];
  readonly rights: readonly Rights[];
  /** The mode after a change of controls, by the frozen object that named the change. */
  readonly after: WeakMap<object, Mode> = new WeakMap();

  constructor(index: number, roots: readonly WalkRoot[], rights: readonly Rights[]) {
    this.index = index;
    this.roots = roots;
    this.rights = rights;
  }

  /** Gives the roots this mode's rights. */
  enter(): void {
    for (let i = 0; i < this.roots.length; i++) (this.roots[i] as WalkRoot).rights = this.rights[i] as Rights;
  }
}

/** The modes that a processor was in. Going back to one finds what was learnt in it. */
export class Modes {
  #all: Mode[] = [];
  readonly #memory: PhysicalMemory;
  readonly #forget: () => void;

  /** @param forget - called before all modes are forgotten, since there are too many: the TLB must forget them too. */
  constructor(memory: PhysicalMemory, forget: () => void) {
    this.#memory = memory;
    this.#forget = forget;
  }

  /** The mode of some translations. Their roots are not taken: modes with the same formats share roots. */
  of(translations: readonly Translation[]): Mode {
    const wanted = translations.map(({ format, controls }) => ({
      format,
      controls: completeControls<Controls>(format.controls, controls, format.name),
    }));
    return this.#find(wanted) ?? this.#make(wanted, translations);
  }

  /** The mode after a change of controls. */
  changed(mode: Mode, controls: Partial<Controls>): Mode {
    const known = Object.isFrozen(controls) ? mode.after.get(controls) : undefined;
    if (known !== undefined && this.has(known)) return known;
    const wanted = mode.roots.map(({ plan: { format }, root }, i) => ({
      ...{ format, root },
      controls: completeControls((mode.rights[i] as Rights).controls, controls, format.name),
    }));
    const next = this.#find(wanted) ?? this.#make(wanted, wanted);
    if (Object.isFrozen(controls)) mode.after.set(controls, next);
    return next;
  }

  /** True while a mode is remembered. */
  has(mode: Mode): boolean {
    return this.#all[mode.index] === mode;
  }

  #find(wanted: readonly Wanted[]): Mode | null {
    const found = this.#all.find(
      ({ roots, rights }) =>
        roots.length === wanted.length &&
        wanted.every(
          ({ format, controls }, i) =>
            roots[i]?.plan.format === format && isSame((rights[i] as Rights).controls, controls),
        ),
    );
    return found ?? null;
  }

  #make(wanted: readonly Wanted[], translations: readonly Pick<Translation, 'root'>[]): Mode {
    const rights = wanted.map(({ format, controls }) => new Rights(planOf(format), controls));
    const isFull = this.#all.length === MOST_MODES;
    // With roots of its own, all that may be refused is refused before anything is forgotten.
    const like = (isFull ? [] : this.#all).find(
      ({ roots }) =>
        roots.length === wanted.length && wanted.every(({ format }, i) => roots[i]?.plan.format === format),
    );
    const roots =
      like?.roots ??
      wanted.map(
        ({ format }, i) =>
          new WalkRoot(
            planOf(format),
            rights[i] as Rights,
            this.#memory,
            (translations[i] as Translation).root,
          ),
      );
    if (isFull) {
      this.#all = [];
      this.#forget();
    }
    const mode = new Mode(this.#all.length, roots, rights);
    this.#all.push(mode);
    return mode;
  }
}

interface Wanted {
  readonly format: PageTableFormat;
  readonly controls: Controls;
}

function isSame(a: Controls, b: Controls): boolean {
  if (a === b) return true;
  return Object.entries(a).every(([name, value]) => (b as Record<string, unknown>)[name] === value);
}
