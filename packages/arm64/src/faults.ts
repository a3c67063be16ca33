import { type Fault, type FaultCode, type FaultKind, VmError } from '@vmarea/core';
import { LAST_LEVEL } from './levels.js';

/**
 * Fault status codes of level 0 and of level −1, by kind. Levels 1 to 3 follow level 0. `null`: the level has no leaves, so it
 * has no such fault.
 *
 * Source: Arm ARM, D24.2, "ESR_EL1, Exception Syndrome Register", DFSC of a Data Abort and IFSC of an Instruction Abort.
 */
const CODES: Partial<Record<FaultKind, readonly [zero: number, below: number | null]>> = {
  'address-size': [0b000000, 0b101001],
  'not-present': [0b000100, 0b101011],
  // The MMU treats an entry that is neither table nor leaf as invalid.
  reserved: [0b000100, 0b101011],
  'access-flag': [0b001000, null],
  permission: [0b001100, null],
  external: [0b010100, 0b010011],
};

/**
 * The fault status code (ESR_ELx.DFSC or IFSC) of a fault.
 *
 * An address outside the range is a Translation fault of level 0, whatever the first level is. With E0PD, so is every access by
 * the user. A table outside the memory is a synchronous External abort on a translation table walk.
 *
 * @param levels - number of levels of the format.
 * @throws VmError `EINVAL` for `protection-key`, and for a kind that the level does not have.
 */
export function faultCodeOf(fault: Fault, levels: number): FaultCode {
  if (fault.kind === 'address') return { name: 'FSC', code: 0b000100 };
  const codes = CODES[fault.kind];
  if (codes === undefined) throw new VmError('EINVAL', `arm64 raises no fault of the kind ${fault.kind}`);
  const level = LAST_LEVEL - (levels - 1 - fault.level);
  const code = level < 0 ? codes[1] : codes[0] + level;
  if (code === null) throw new VmError('EINVAL', `level ${level} raises no fault of the kind ${fault.kind}`);
  return { name: 'FSC', code };
}
