import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { bytesSource, openImage } from '@vmarea/image';
import { TABLE_FILES } from '../../build/bundled-tables.js';

/** Bytes of memory of the machine. */
const MACHINE_BYTES = 8 * 2 ** 30;
const PAGE = 4096;

/**
 * Writes the memory of a real x86-64 kernel as a dump of a machine with 8 GiB. The file is as long, but has holes: its disk blocks are those
 * of the kernel's tables alone.
 *
 * @param kind - `elf`: a core that says of itself where its tables are. `lime`: it says nothing, so the page looks for them.
 */
export function writeSparseDump(path: string, kind: 'elf' | 'lime'): void {
  const packed = readFileSync(new URL(`../../../../${TABLE_FILES['x86-64.kdump.gz']}`, import.meta.url));
  const image = openImage(bytesSource(new Uint8Array(gunzipSync(packed))));
  const header = kind === 'lime' ? limeHeader() : elfHeader(image.vmcoreinfo?.text ?? '');
  const fd = openSync(path, 'w');
  try {
    ftruncateSync(fd, header.length + MACHINE_BYTES);
    writeSync(fd, header, 0, header.length, 0);
    for (const { address, bytes } of image.ranges())
      for (let pa = address; pa < address + bytes; pa += BigInt(PAGE))
        if (image.stateOf(pa) === 'present')
          writeSync(fd, image.memory.bytesAt(pa, PAGE), 0, PAGE, header.length + Number(pa));
  } finally {
    closeSync(fd);
  }
}

/** One range, from address 0. Source: LiME's doc/README.md. */
function limeHeader(): Uint8Array {
  const header = new DataView(new ArrayBuffer(32));
  header.setUint32(0, 0x4c69_4d45, true);
  header.setUint32(4, 1, true);
  header.setBigUint64(16, BigInt(MACHINE_BYTES - 1), true);
  return new Uint8Array(header.buffer);
}

/** A core with a note and one segment. Source: the ELF-64 object file format; Linux vmcore_info.c for the note's name. */
function elfHeader(vmcoreinfo: string): Uint8Array {
  const name = 'VMCOREINFO\0\0';
  const text = new TextEncoder().encode(vmcoreinfo);
  const note = 12 + name.length + Math.ceil(text.length / 4) * 4;
  const at = 64 + 2 * 56;
  const bytes = new Uint8Array(at + note);
  const view = new DataView(bytes.buffer);
  const u64 = (offset: number, value: number): void => view.setBigUint64(offset, BigInt(value), true);
  // 64 bits, little-endian, version 1; a core of x86-64.
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 4, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  u64(32, 64);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  // PT_NOTE, then PT_LOAD.
  view.setUint32(64, 4, true);
  u64(64 + 8, at);
  u64(64 + 32, note);
  view.setUint32(120, 1, true);
  u64(120 + 8, at + note);
  u64(120 + 32, MACHINE_BYTES);
  u64(120 + 40, MACHINE_BYTES);
  view.setUint32(at, 11, true);
  view.setUint32(at + 4, text.length, true);
  bytes.set(new TextEncoder().encode(name), at + 12);
  bytes.set(text, at + 12 + name.length);
  return bytes;
}
