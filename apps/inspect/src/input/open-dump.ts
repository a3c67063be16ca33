import * as fs from 'node:fs';
import { type Console, coloursFor, oneOf, progress, UsageError, whyUnreadable } from '@vmarea/cli';
import { printable, VmError } from '@vmarea/core';
import {
  type FoundRoots,
  fileSource,
  findRoots,
  type Image,
  openImage,
  type RawPiece,
  type Source,
} from '@vmarea/image';
import { FORMATS } from '../machines/machines.js';
import type { DumpValues } from './arguments.js';
import { addressOf, bytesOf } from './numbers.js';

/** A dump that is open. */
export interface OpenDump {
  readonly image: Image;
  readonly found: FoundRoots;
  /** Told by long scans how far they are: a physical address, and that of the end. */
  readonly progress: (what: string) => (address: bigint, end: bigint) => void;
  close(): void;
}

const SCANS = ['needed', 'always', 'never'] as const;
/** Steps of a bar. */
const STEPS = 100;
/** Longest text of VMCOREINFO. */
const MOST_TEXT = 2 ** 20;

/**
 * Opens the dump of a command, and finds its roots.
 *
 * @param mayScan - false where the roots need not be known: registers say all.
 * @throws UsageError when it cannot be read, or is no dump.
 */
export function openDump(values: DumpValues, io: Console, mayScan = true): OpenDump {
  const names = [values.file as string, ...(values.parts?.split(',') ?? [])];
  const descriptors: number[] = [];
  const close = (): void => {
    for (const fd of descriptors.splice(0)) fs.closeSync(fd);
  };
  const shown = progressOf(io);
  try {
    const sources = names.map((name) => sourceOf(name, descriptors));
    const scan = oneOf('--scan', values.scan, SCANS, mayScan ? 'needed' : 'never');
    const image = openImage(sources.length === 1 ? (sources[0] as Source) : sources, {
      ...(values.map === undefined ? {} : { map: values.map.split(',').map(pieceOf) }),
      ...(values.vmcoreinfo === undefined ? {} : { vmcoreinfo: textOf(values.vmcoreinfo) }),
    });
    const { yellow } = coloursFor(io.stderr, io.env);
    for (const warning of image.warnings) io.stderr.write(`${yellow('warning:')} ${warning}\n`);
    const found = findRoots(image, { formats: FORMATS, scan, progress: shown.of('looks for roots') });
    shown.end();
    const end = (): void => {
      shown.end();
      close();
    };
    return { image, found, progress: shown.of, close: end };
  } catch (error) {
    shown.end();
    close();
    if (!(error instanceof VmError)) throw error;
    // The library speaks of its option. The codes are the library's, too.
    throw new UsageError(
      `${names.map(printable).join(', ')}: ${error.message.replace(/^\w+: /, '').replace('the option `map`', '--map: where its pieces are')}`,
      { cause: error },
    );
  }
}

function sourceOf(name: string, descriptors: number[]): Source {
  let fd: number;
  try {
    fd = fs.openSync(name, 'r');
    descriptors.push(fd);
    const status = fs.fstatSync(fd);
    if (status.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    if (status.isFIFO() || status.isSocket())
      throw new Error('it is a pipe, and a dump is read at any offset; write it to a file first');
    if (fs.readSync(fd, new Uint8Array(1), 0, 1, 0) === 0) throw new Error('it is empty');
  } catch (error) {
    throw new UsageError(`cannot read ${printable(name)}: ${whyUnreadable(error)}`, { cause: error });
  }
  return fileSource(fd, fs);
}

function pieceOf(text: string): RawPiece {
  const [address = '', offset, bytes, more] = text.split(':');
  if (more !== undefined)
    throw new UsageError(
      `--map has '${printable(text)}'; expected PHYSICAL, PHYSICAL:OFFSET or PHYSICAL:OFFSET:BYTES`,
    );
  return {
    address: addressOf('--map', address),
    ...(offset === undefined ? {} : { offset: Number(bytesOf('the offset of --map', offset, 0n)) }),
    ...(bytes === undefined ? {} : { bytes: Number(bytesOf('the length of --map', bytes)) }),
  };
}

function textOf(name: string): string {
  try {
    if (fs.statSync(name).size > MOST_TEXT)
      throw new Error('it is larger than 1 MiB, and no text of VMCOREINFO');
    return fs.readFileSync(name, 'latin1');
  } catch (error) {
    throw new UsageError(`cannot read ${printable(name)}: ${whyUnreadable(error)}`, { cause: error });
  }
}

/** A bar, made when a scan begins. */
function progressOf(io: Console): { of: OpenDump['progress']; end(): void } {
  let end = (): void => {};
  return {
    of(what) {
      let bar: ReturnType<typeof progress> | null = null;
      let done = 0;
      return (address, last) => {
        bar ??= progress(io, STEPS);
        end = bar.end;
        const now = Math.min(STEPS, Number((address * BigInt(STEPS)) / (last === 0n ? 1n : last)));
        // It shows at once. What it waits for is for loops that let others run.
        void bar.step(what, Math.max(0, now - done));
        done = Math.max(done, now);
      };
    },
    end: () => end(),
  };
}
