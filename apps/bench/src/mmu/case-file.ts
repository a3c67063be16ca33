import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '@vmarea/cli';
import { hex, printable } from '@vmarea/core';
import * as v from 'valibot';
import { whyUnreadable } from '../input/unreadable.js';
import { ACCESSES, MAX_JOBS } from './guest/layout.js';

/*
 * A case file contains everything that repeats the same accesses: settings, root, the entries that the walks read, and the
 * addresses.
 */

const KIND = 'vmarea mmu case';
const digits = v.pipe(
  v.string(),
  v.regex(/^0x[0-9a-f]{1,16}$/, 'expected a hexadecimal number of 64 bits, such as 0x1000'),
);
const word = v.pipe(
  digits,
  v.transform((text) => BigInt(text)),
);
const accessName = v.picklist(ACCESSES.map(({ name }) => name));

const caseSchema = v.object({
  kind: v.literal(KIND),
  configuration: v.string(),
  settings: v.record(v.string(), v.union([v.number(), v.boolean(), v.string()])),
  root: word,
  entries: v.record(digits, word),
  jobs: v.pipe(
    v.array(v.object({ address: word, accesses: v.array(accessName) })),
    v.minLength(1),
    v.maxLength(MAX_JOBS),
  ),
  /** The rest is for people. */
  from: v.object({
    qemu: v.string(),
    seed: v.number(),
    batch: v.number(),
    tables: v.string(),
    planted: v.nullable(v.string()),
    /** False: no single address differs alone, so the file has the whole batch. */
    alone: v.boolean(),
  }),
  differences: v.array(v.string()),
});

/** A case, with addresses and entries as bigints. */
export interface Case {
  readonly configuration: string;
  readonly settings: Readonly<Record<string, number | boolean | string>>;
  readonly root: bigint;
  readonly entries: ReadonlyMap<bigint, bigint>;
  readonly jobs: readonly { readonly va: bigint; readonly mask: number }[];
  readonly from: v.InferOutput<typeof caseSchema>['from'];
  readonly differences: readonly string[];
}

/** Writes a case into a folder and returns its path. */
export function writeCase(folder: string, one: Case): string {
  const { configuration, settings, root, entries, jobs, from, differences } = one;
  const text = {
    ...{ kind: KIND, configuration, settings, root: hex(root) },
    entries: Object.fromEntries([...entries].map(([at, entry]) => [hex(at), hex(entry)])),
    jobs: jobs.map(({ va, mask }) => ({
      address: hex(va),
      accesses: ACCESSES.filter((_access, i) => (mask & (1 << i)) !== 0).map(({ name }) => name),
    })),
    ...{ from, differences },
  };
  mkdirSync(folder, { recursive: true });
  const planted = from.planted === null ? '' : `-${from.planted.replaceAll(/[^A-Za-z0-9]+/g, '-')}`;
  const name = `${configuration}-${from.seed}-${from.batch}-${jobs[0]?.va.toString(16)}${planted}.json`;
  const path = join(folder, name);
  writeFileSync(path, `${JSON.stringify(text, null, 2)}\n`);
  return path;
}

/**
 * Reads a case.
 *
 * @throws UsageError when the file cannot be read or is not a case.
 */
export function readCase(path: string): Case {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is not JSON' : whyUnreadable(error, path);
    throw new UsageError(`cannot read ${printable(path)}: ${printable(why)}`);
  }
  const parsed = v.safeParse(caseSchema, json);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    throw new UsageError(
      `${printable(path)} is not a case file: ${v.getDotPath(issue) ?? 'it'}: ${issue.message}`,
    );
  }
  const { configuration, settings, root, entries, jobs, from, differences } = parsed.output;
  return {
    ...{ configuration, settings, root, from, differences },
    entries: new Map(Object.entries(entries).map(([at, entry]) => [BigInt(at), entry])),
    jobs: jobs.map(({ address, accesses }) => ({
      va: address,
      mask: ACCESSES.reduce((mask, { name }, i) => (accesses.includes(name) ? mask | (1 << i) : mask), 0),
    })),
  };
}
