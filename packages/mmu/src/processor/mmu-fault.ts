import {
  type Access,
  type Controls,
  type Fault,
  type FaultCode,
  type FaultKind,
  hex,
  joinWords,
  type PageTableFormat,
} from '@vmarea/core';
import { ACCESSES, READ } from './accesses.js';

/**
 * The fault of an access through an `Mmu`. Each `Mmu` has one object, which it fills in anew and throws: a fault allocates no
 * stack trace. Copy what you keep.
 *
 * It is a guest's fault, no error of the caller's. So it is no `VmError`.
 */
export class MmuFault extends Error {
  override readonly name = 'MmuFault';
  /** Why. */
  kind: FaultKind = 'not-present';
  /** Index into `format.levels` of the entry that faulted, as in `Fault`. */
  level = 0;
  /** The number that the architecture reports. */
  code: FaultCode = NO_CODE;
  /** The access. */
  access: Access = ACCESSES[READ] as Access;
  /** Bits 63..32 and 31..0 of the address, signed. For an access to two pages: of the first byte on the page that faulted. */
  vaHi = 0;
  vaLo = 0;

  /** The address. */
  get va(): bigint {
    return joinWords(this.vaLo, this.vaHi);
  }

  /** What happened at which address, and the architecture's code for it. */
  override get message(): string {
    const { access, code, kind, level } = this;
    const by = access.user ? 'user' : 'kernel';
    return `${code.name} ${code.code} at ${hex(this.va)}: ${access.kind} by ${by}, ${kind} at level ${level}`;
  }

  /** Fills it in. @internal */
  set(
    format: PageTableFormat,
    fault: Fault,
    controls: Controls,
    vaHi: number,
    vaLo: number,
    number: number,
  ): void {
    this.kind = fault.kind;
    this.level = fault.level;
    this.access = ACCESSES[number] as Access;
    this.code = format.faultCode(fault, this.access, controls);
    this.vaHi = vaHi | 0;
    this.vaLo = vaLo | 0;
  }
}

const NO_CODE: FaultCode = Object.freeze({ name: 'none', code: 0 });
