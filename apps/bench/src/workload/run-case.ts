import { CheckError } from '@vmarea/cli';
import { proveAllReturned, random } from '@vmarea/compare';
import { type AddressSpace, type AreaStats, type FrameStats, VmError } from '@vmarea/core';
import type { Bed } from './bed.js';
import type { TestCase } from './case.js';
import type { Parameters } from './parameters.js';
import type { WorkloadRow } from './result.js';
import { Run } from './run.js';

/** The counts before a case. */
interface Before {
  readonly tables: FrameStats;
  readonly pages: FrameStats;
}

/**
 * Runs a case in a new kernel, so that its counts do not depend on earlier cases. Checks that it frees everything.
 *
 * @param index - its bit. It seeds the case's random numbers, whatever the order of the cases.
 * @param step - is called before each repetition.
 * @throws CheckError when a frame, an area or addresses are missing at the end.
 */
export async function runCase(
  one: TestCase,
  index: number,
  bed: Bed,
  parameters: Parameters,
  step: () => Promise<void>,
): Promise<{ readonly row: WorkloadRow; readonly ns: number }> {
  const ram = one.isBlind === true ? bed.blindRam : bed.ram;
  const before = { tables: bed.tables.stats(), pages: ram.stats() };
  const run = new Run(bed, ram, parameters);
  const fresh = run.kernel.stats();
  const context = { run, parameters, random: random((parameters.seed ^ Math.imul(index, 0x85ebca6b)) >>> 0) };
  const repeat = parameters.testRepeatCount;
  let passed = 0;
  for (let i = 0; i < repeat; i++) {
    await step();
    if (run.measure(() => one.test(context))) passed++;
  }
  const { milliseconds, operations, lazyPages, ...work } = run.work;
  const { name, title, format } = bed.configuration;
  const row: WorkloadRow = {
    ...{ configuration: name, title, pageBytes: 2 ** format.pageShift, case: one.name },
    passed,
    failed: one.isExpectedToFail ? 0 : repeat - passed,
    xfailed: one.isExpectedToFail ? repeat - passed : 0,
    repeat,
    loops: parameters.testLoopCount,
    avgUsec: Math.floor((milliseconds * 1000) / repeat),
    operations,
    operationsPerSecond: Math.round((1000 * operations) / Math.max(milliseconds, 1e-3)),
    work,
    lazyPages,
    leakCheck: leakCheck(`${name}, ${one.name}`, run, { ...before, areas: fresh }),
  };
  return { row, ns: Math.round(milliseconds * 1e6) };
}

/** Makes the kernel free what it can, checks that nothing is left, and destroys it. */
function leakCheck(
  what: string,
  { kernel, bed, ram }: Run,
  before: Before & { readonly areas: AreaStats },
): WorkloadRow['leakCheck'] {
  runOutOfAddresses(kernel);
  const { areas, busyBytes, lazyBytes, pooledBytes, freeBytes, freeRanges } = kernel.stats();
  const now = [areas, lazyBytes, pooledBytes, freeBytes, freeRanges];
  const { areas: fresh } = before;
  // The whole window must be free, in one piece. Waiting, pooled or lost ranges would be missing.
  const then = [0, 0n, 0n, fresh.freeBytes, 1];
  if (now.some((value, i) => value !== then[i])) {
    throw new CheckError(
      `${what}: ${areas} areas with ${busyBytes} bytes are left at the end; ${lazyBytes} bytes wait, ${pooledBytes} are in pools, ` +
        `${freeBytes} of ${fresh.freeBytes} bytes are free, in ${freeRanges} pieces`,
    );
  }
  const mapped = kernel.table.leaves().next();
  if (mapped.done !== true)
    throw new CheckError(`${what}: 0x${mapped.value.va.toString(16)} is still mapped at the end`);
  const pages = proveAllReturned(`${what}: pages`, before.pages, ram.stats());
  const peak = bed.tables.stats().allocated;
  kernel.destroy();
  return {
    tables: { ...proveAllReturned(`${what}: tables`, before.tables, bed.tables.stats()), peak },
    pages,
  };
}

/**
 * Asks for more than the window. Before the kernel refuses, it purges, empties its pools and frees blocks of vm_map_ram.
 * vm_unmap_aliases alone keeps blocks with much free room.
 */
function runOutOfAddresses(kernel: AddressSpace): void {
  const { start, end } = kernel.linux.window;
  try {
    kernel.getVmArea(2n * (end - start));
  } catch (error) {
    if (error instanceof VmError && error.code === 'ENOMEM') return;
    throw error;
  }
}
