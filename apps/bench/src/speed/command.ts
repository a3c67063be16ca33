import type { ArgsDef } from 'citty';
import type { Console } from '../console.js';
import { CheckError } from '../errors.js';
import { choose, installedFormats } from '../formats.js';
import { thisMachine } from '../machine.js';
import { SEED, wholeNumber } from '../options.js';
import { progress } from '../progress.js';
import { type Spread, spread } from '../spread.js';
import { type Round, type Subject, subject } from './measure.js';
import { speedReport } from './report.js';
import type { SpeedResult, SpeedRow } from './result.js';

/** The options of `vmarea-bench speed`. */
export const speedArguments = {
  pages: {
    type: 'string',
    valueHint: 'N',
    description: 'Base pages to map, 1 to 16777216 (262144 when absent)',
  },
  format: { type: 'string', valueHint: 'NAME[,NAME]', description: 'Only these formats (all when absent)' },
  repeat: { type: 'string', valueHint: 'N', description: 'Measured rounds, 7 to 1000 (15 when absent)' },
  seed: { type: 'string', valueHint: 'N', description: 'Seed of frames and addresses (1 when absent)' },
  json: { type: 'boolean', description: 'Print one JSON object instead of a table' },
} as const satisfies ArgsDef;

/** Values as the command line gives them. */
export type SpeedArguments = {
  readonly [K in Exclude<keyof typeof speedArguments, 'json'>]?: string | undefined;
} & {
  readonly json?: boolean | undefined;
};

/** Rounds that are not counted: the first ones run code that is not compiled yet. */
const WARM_UP = 3;

/** Runs `vmarea-bench speed` and writes its result. */
export async function runSpeed(args: SpeedArguments, io: Console): Promise<void> {
  const pages = wholeNumber('pages', args.pages, { min: 1, max: 2 ** 24, fallback: 2 ** 18 });
  const repeat = wholeNumber('repeat', args.repeat, { min: 7, max: 1000, fallback: 15 });
  const seed = wholeNumber('seed', args.seed, SEED);
  const installed = await installedFormats(io.cwd);
  const subjects = choose(installed, args.format).map((configuration) =>
    subject(configuration, { pages, seed }),
  );

  const rounds = new Map<Subject, Round[]>(subjects.map((one) => [one, []]));
  const bar = progress(io, subjects.length * (WARM_UP + repeat));
  try {
    // Round by round through all formats: what slows the machine for a while slows them alike.
    for (let i = 0; i < WARM_UP + repeat; i++) {
      for (const [one, done] of rounds) {
        await bar.step(`${one.configuration.name}, round ${i + 1} of ${WARM_UP + repeat}`);
        const round = one.round();
        if (i >= WARM_UP) done.push(round);
      }
    }
  } finally {
    bar.end();
  }

  const result: SpeedResult = {
    command: 'speed',
    schema: 1,
    machine: thisMachine(),
    pages,
    seed,
    repeat,
    warmUp: WARM_UP,
    rows: [...rounds].map(([one, done]) => rowOf(one, done)),
    warnings: installed.warnings,
  };
  io.stdout.write(args.json === true ? `${JSON.stringify(result, null, 2)}\n` : speedReport(result, io));
}

function rowOf({ configuration: { name, title, format } }: Subject, rounds: readonly Round[]): SpeedRow {
  const first = rounds[0] as Round;
  const exact = ({ map, unmap, checksum }: Round): string => JSON.stringify([map, unmap, checksum]);
  for (const round of rounds) {
    if (exact(round) !== exact(first)) {
      throw new CheckError(`${name}: equal rounds did different work: ${exact(first)} and ${exact(round)}`);
    }
  }
  const over = (pick: (round: Round) => number): Spread => spread(rounds.map(pick)) as Spread;
  return {
    configuration: name,
    title,
    pageBytes: 2 ** format.pageShift,
    levels: format.levels.length,
    map: { ns: over((round) => round.mapNs), work: first.map },
    translate: { ns: over((round) => round.translateNs) },
    unmap: { ns: over((round) => round.unmapNs), work: first.unmap },
    checksum: first.checksum,
  };
}
