import type { VmErrorCode } from '@vmarea/core';

/** Thrown inside a prediction: the call is refused with this code. */
export class Refused extends Error {
  readonly code: VmErrorCode;

  constructor(code: VmErrorCode) {
    super(code);
    this.code = code;
  }
}
