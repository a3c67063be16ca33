import type { PageTableFormat, Protection } from '@vmarea/core';
import type { Manual } from './manual.js';

/** Registers one test: `test` of vitest, of `node:test`, or anything with a name and a function. */
export type Test = (name: string, run: () => void) => void;

/** What is tested. A `Configuration` of a format package is one. */
export interface Subject {
  /** Unique short name: the first part of every case's id. */
  readonly name: string;
  /** The format. */
  readonly format: PageTableFormat;
  /** A Linux policy: its named protections, and the formats that it is for. Default: a plain kernel protection. */
  readonly linux?: { readonly protections: object; readonly formats?: readonly string[] };
}

/** Choices of a run. */
export interface SuiteOptions {
  /** Only the cases whose id starts with this: a whole id, or `name:group`. */
  readonly only?: string;
  /** Groups to leave out, each with the reason, which becomes part of a test's name. */
  readonly skip?: Readonly<Record<string, string>>;
  /** Seed of random cases, 32 bits. Default: 1. */
  readonly seed?: number;
  /** Random sequences of calls. Default: 20. */
  readonly runs?: number;
  /** What the manual says that the data of the format cannot. Default: nothing, and cases that need it are left out. */
  readonly manual?: Manual;
}

/** The options that groups look at, with their defaults. */
export type CaseOptions = Required<Pick<SuiteOptions, 'seed' | 'runs' | 'manual'>>;

/** One case: it throws when the format, or the engine on it, does something wrong. */
export interface Case {
  /** What follows the names of the subject and the group: `run=16:offset=3`. */
  readonly id: string;
  /** Makes what it needs, and throws what it finds wrong. */
  readonly run: () => void;
}

/** Cases about one promise of a format. */
export interface Group {
  /** Short and lasting: the second part of every id. */
  readonly name: string;
  /** The cases of a subject: made from its data, and from what the options say of the manual. */
  readonly cases: (subject: Checked, options: CaseOptions) => readonly Case[];
}

/** A subject with what groups ask of it. */
export interface Checked extends Subject {
  /** By name. */
  readonly protections: Readonly<Record<string, Protection>>;
}
