import type { Report } from './run.js';

/** The results of a run as text. */
export function printed(name: string, report: Report): string {
  const refused = [...report.refusals].sort(([a], [b]) => (a < b ? -1 : 1));
  const codes = refused.map(([code, count]) => `${code} ${count}`).join(', ');
  return [
    `${name}, seed ${report.seed}: ${report.calls} calls, and ${report.nested} from within them; escapes 0`,
    `  successes ${report.successes}; refused: ${codes}`,
    `  refusals held against a hash of all bytes: ${report.hashes}; walks of all tables: ${report.walks}`,
  ].join('\n');
}
