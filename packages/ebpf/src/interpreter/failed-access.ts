import { BY_FRAME, LOADS, STEP, STORES } from '../decode/steps.js';
import { LOAD_ACQUIRE } from '../isa/codes.js';
import { resultRegister } from './atomics.js';

/** What an access was about to do. Registers are given by their lower words. */
interface FailedAccess {
  readonly isWrite: boolean;
  /** The register with the address. */
  readonly base: number;
  readonly offset: number;
  /** The register that a load would have written; -1 for none. */
  readonly result: number;
}

/**
 * What the step of an access was about to do, where Linux's exception table has an entry.
 *
 * @returns `null` for a step that is no access of the arena: another one, and one by the frame pointer.
 */
export function failedAccess(steps: Int32Array, pc: number): FailedAccess | null {
  const [step, a, b, offset] = steps.subarray(pc, pc + 4) as unknown as [number, number, number, number];
  if (step === STEP.atomic) {
    const [dst, src, operation] = [(a & 255) * 2, (a >> 8) * 2, b & 4095];
    const isWrite = operation !== LOAD_ACQUIRE;
    return { isWrite, base: isWrite ? dst : src, offset, result: resultRegister(operation, dst, src) };
  }
  if (step < LOADS || step > STEP.atomic || (step & BY_FRAME) !== 0) return null;
  return step < STORES
    ? { isWrite: false, base: b, offset, result: a }
    : { isWrite: true, base: a, offset, result: -1 };
}
