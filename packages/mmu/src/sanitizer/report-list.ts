import { VmError } from '@vmarea/core';
import { Report, type ReportFacts, type SanitizerReport } from './report.js';

/** The reports of a sanitizer: each finding once, and not more than a limit. */
export class ReportList {
  readonly all: Report[] = [];
  /** New findings beyond the limit. */
  dropped = 0;
  readonly #most: number;
  readonly #onReport: ((report: SanitizerReport) => void) | undefined;
  readonly #throws: boolean;
  readonly #known = new Map<string, Report>();
  /** What is thrown by the next call that may throw. */
  #error: unknown = null;

  constructor(most: number, throws: boolean, onReport: ((report: SanitizerReport) => void) | undefined) {
    this.#most = most;
    this.#throws = throws;
    this.#onReport = onReport;
  }

  add(facts: ReportFacts): void {
    const report = new Report(facts);
    const { key } = report;
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    if (this.all.length >= this.#most) {
      this.dropped++;
      return;
    }
    this.#known.set(key, report);
    this.all.push(report);
    try {
      this.#onReport?.(report);
    } catch (error) {
      this.#error ??= error;
    }
    if (this.#throws && report.class === 'error')
      this.#error ??= new VmError('EFAULT', `${report}`, { address: report.va });
  }

  /** Throws what is due: the first error since it was called last. */
  raise(): void {
    const error = this.#error;
    this.#error = null;
    if (error !== null) throw error;
  }

  clear(): void {
    this.all.length = 0;
    this.dropped = 0;
    this.#known.clear();
  }
}
