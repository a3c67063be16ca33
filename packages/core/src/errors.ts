/**
 * Linux error names that vmarea uses. The spelling is that of `include/uapi/asm-generic/errno-base.h`.
 *
 * - `EINVAL`: the call makes no sense: misaligned, empty, unknown frame, wrong order, destroyed object.
 * - `ERANGE`: the addresses lie outside the range that the object covers.
 * - `ENOMEM`: no frame (or no free address range) is left.
 * - `EBUSY`: the slot or the frame is in use.
 * - `EFAULT`: no bytes behind a physical address, or nothing mapped where something must be.
 * - `EPERM`: the memory is read-only, or a process may not map the address.
 * - `E2BIG`: more pages than there is memory.
 * - `ELOOP`: tables point to themselves, or are shared so often that a complete list would not end.
 * - `EACCES`: a region may not have the rights.
 * - `EEXIST`: a region is there already.
 * - `EOVERFLOW`: an offset is too large.
 * - `EAGAIN`: another thread is in the way, and this one may not wait (a browser's main thread) or has
 *   waited for ten seconds.
 * - `EOPNOTSUPP`: the kernel release or the object does not have the call.
 * - `EOWNERDEAD`: a thread died in the middle of a call. `recover` mends what it left.
 */
export type VmErrorCode =
  | 'EINVAL'
  | 'ERANGE'
  | 'ENOMEM'
  | 'EBUSY'
  | 'EFAULT'
  | 'EPERM'
  | 'E2BIG'
  | 'ELOOP'
  | 'EACCES'
  | 'EEXIST'
  | 'EOVERFLOW'
  | 'EAGAIN'
  | 'EOPNOTSUPP'
  | 'EOWNERDEAD';

/** Where an error happened. Every member is optional, and is part of the message when given. */
export interface VmErrorDetails {
  /** Address in bytes that the error is about: physical from memory, allocator and root, else virtual. */
  readonly address?: bigint;
  /** What the caller can do about it: one clause, without a full stop. */
  readonly advice?: string;
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/**
 * The one error that vmarea throws on purpose.
 *
 * A call that throws it left everything as it was before the call.
 *
 * @example
 * ```ts
 * try {
 *   table.map(0x1001n, [7], PAGE_KERNEL);
 * } catch (error) {
 *   if (error instanceof VmError && error.code === 'EINVAL') console.error(error.message);
 *   // EINVAL at 0x0000000000001001: the address is not a multiple of the page size 0x1000
 * }
 * ```
 */
export class VmError extends Error {
  /** Always `VmError`, as a stack trace shows it. */
  override readonly name = 'VmError';
  /** Linux's name of the error. */
  readonly code: VmErrorCode;
  /** Virtual or physical address in bytes that the error is about, when there is one. */
  readonly address: bigint | undefined;

  constructor(code: VmErrorCode, what: string, details: VmErrorDetails = {}) {
    const where = details.address === undefined ? '' : ` at ${wideHex(details.address)}`;
    const advice = details.advice === undefined ? '' : `; ${details.advice}`;
    super(
      `${code}${where}: ${what}${advice}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.address = details.address;
  }
}

/** Longer text in a message is cut. */
const LONGEST = 60;

/**
 * Shows a value that a caller passed by mistake, so that its type is visible: `4096n`, `'4096'`, `4096`,
 * `an array`.
 *
 * It runs no code of the value: a `toString` that throws must not turn the refusal into another error.
 *
 * @internal
 */
export function shown(value: unknown): string {
  if (typeof value === 'bigint') {
    const size = value < 0n ? -value : value;
    return size > 0xffffn ? `${value < 0n ? '-' : ''}0x${size.toString(16)}n` : `${value}n`;
  }
  if (typeof value === 'string') {
    return value.length > LONGEST ? `'${value.slice(0, LONGEST)}…'` : `'${value}'`;
  }
  const is = isArray(value);
  if (is === undefined) return 'a revoked proxy';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return is ? 'an array' : 'an object';
  return String(value);
}

/**
 * True for an array. `undefined` for a revoked proxy, also one of a function: nothing else can be asked of it.
 *
 * @internal
 */
export function isArray(value: unknown): boolean | undefined {
  try {
    return Array.isArray(value);
  } catch {
    return undefined;
  }
}

/**
 * Shows control characters as escapes, so that foreign text cannot control the terminal.
 *
 * @param text - any text: a file's name, a line of a file.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (c) => `\\u{${(c.codePointAt(0) as number).toString(16)}}`,
  );
}

/**
 * Formats an address as the kernel's `%016lx` does: `0x` and 16 digits.
 *
 * @param address - any integer; only its low 64 bits are printed.
 */
export function hex(address: bigint): string {
  return `0x${BigInt.asUintN(64, address).toString(16).padStart(16, '0')}`;
}

/**
 * As `hex`, but with all digits of a value that is not an unsigned 64-bit one: 2^64, a negative address. A
 * message must name the address that the caller passed.
 *
 * @internal
 */
export function wideHex(address: bigint): string {
  if (BigInt.asUintN(64, address) === address) return hex(address);
  return address < 0n ? `-0x${(-address).toString(16)}` : `0x${address.toString(16)}`;
}
