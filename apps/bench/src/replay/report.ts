import { type Console, coloursFor, widthOf } from '../console.js';
import { count, pageSizeName, plural } from '../numbers.js';
import { type Column, textTable, wrap } from '../text-table.js';
import type { Tally } from './replayer.js';
import type { ReplayResult } from './result.js';

interface Line {
  readonly what: string;
  readonly recorded: number;
  readonly equal: number;
}

const COLUMNS: readonly Column<Line>[] = [
  { head: 'compared', align: 'left', cell: ({ what }) => what },
  { head: 'recorded', align: 'right', cell: ({ recorded }) => count(recorded) },
  { head: 'equal', align: 'right', cell: ({ equal }) => count(equal) },
  { head: 'different', align: 'right', cell: ({ recorded, equal }) => count(recorded - equal) },
];

/** The result as a text for people. */
export function replayReport(result: ReplayResult, io: Pick<Console, 'stdout' | 'env'>): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const { set, pageBytes, cpus, events, eventsPerSecond } = result;
  const out = [
    colours.bold(`Every decision of a real kernel's vmap areas, made again: ${set}`),
    `  Pages of ${pageSizeName(pageBytes)}, ${plural(cpus, 'processor')}, ${plural(events, 'event')}, ${count(eventsPerSecond)} a second`,
    '',
    textTable(COLUMNS, linesOf(result)),
    '',
  ];
  for (const [why, number] of Object.entries(result.undetermined))
    out.push(wrap(`Undetermined: ${plural(number, 'placement')}, ${why}.`, width, '  '));
  for (const { name, first } of result.photographs)
    if (first !== null) out.push(wrap(colours.red(`Photograph ${name}: ${first}`), width, '  '));
  if (result.endState?.first !== undefined && result.endState.first !== null)
    out.push(wrap(colours.red(`At the end the replay lacks: ${result.endState.first}`), width, '  '));
  for (const line of result.firstDifference) out.push(colours.red(line));
  out.push(isSame(result) ? colours.green('All the same.') : colours.red('They differ.'));
  return `${out.join('\n')}\n`;
}

/** True when nothing that was compared differs. */
export function isSame(result: ReplayResult): boolean {
  return linesOf(result).every(({ recorded, equal }) => recorded === equal);
}

function linesOf(result: ReplayResult): Line[] {
  const tally = (what: string, { equal, different }: Tally): Line[] =>
    equal + different === 0 ? [] : [{ what, recorded: equal + different, equal }];
  const lines = [
    ...tally('placements', result),
    ...tally('requests that fail', result.failingRequests),
    ...tally('per-cpu placements', result.percpu),
    ...tally('pages that wait, at each free', result.lazyPages),
    ...tally('areas of each purge', result.purges),
  ];
  for (const { name, nodes, nodesEqual, waiting, waitingEqual } of result.photographs) {
    lines.push({ what: `free tree '${name}': nodes, colours, maxima`, recorded: nodes, equal: nodesEqual });
    if (waiting > 0)
      lines.push({ what: `pools and lazy lists '${name}'`, recorded: waiting, equal: waitingEqual });
  }
  const { endState } = result;
  if (endState !== null) {
    const { areas, areasEqual, surplus, unpurged, unpurgedEqual } = endState;
    lines.push({ what: 'vmallocinfo at the end: areas', recorded: areas + surplus, equal: areasEqual });
    if (unpurged > 0)
      lines.push({ what: 'vmallocinfo at the end: unpurged', recorded: unpurged, equal: unpurgedEqual });
  }
  return lines;
}
