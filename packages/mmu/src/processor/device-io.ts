/**
 * Who serves accesses to frames without bytes: an emulator's devices.
 *
 * An access to the bytes of one page comes as it was made, aligned or not. One that crosses a page comes byte by byte, and so does a
 * range of `copyIn` and `copyOut`.
 */
export interface DeviceIo {
  /**
   * A load, or an instruction fetch.
   *
   * @param pa - physical address in bytes.
   * @param bytes - 1, 2, 4 or 8.
   * @returns the value; the low bits that the access has count.
   */
  load(pa: bigint, bytes: number): bigint;
  /**
   * A store.
   *
   * @param pa - physical address in bytes.
   * @param bytes - 1, 2, 4 or 8.
   * @param value - unsigned.
   */
  store(pa: bigint, bytes: number, value: bigint): void;
}
