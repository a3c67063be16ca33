import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { UsageError } from '@vmarea/cli';
import { printable } from '@vmarea/core';
import { appFile } from '../app-root.js';
import { whyUnreadable } from './unreadable.js';

/** A text to parse, and its name. */
export interface InputText {
  /** Path, or `standard input`. */
  readonly file: string;
  /** A description for people. */
  readonly title: string;
  readonly text: string;
}

/** The largest text in bytes: far more than a kernel prints, and small enough for one string. */
export const LARGEST: number = 256 * 1024 * 1024;

/**
 * Reads the input of a run: a file, `-` for standard input, or the bundled file. Its first two bytes tell gzip.
 *
 * @param largest - the largest text in bytes.
 * @param expected - what it should have, for people.
 * @throws UsageError with the reason when it cannot be read.
 */
export async function readInput(
  path: string | undefined,
  stdin: AsyncIterable<unknown>,
  largest: number = LARGEST,
  expected = 'the lines of /proc/vmallocinfo',
): Promise<InputText> {
  if (path === undefined) return bundled();
  const fromStdin = path === '-';
  const file = fromStdin ? 'standard input' : printable(path);
  const bytes = await readAll(fromStdin ? stdin : createReadStream(path), file, largest);
  return { file, title: file, text: decode(await unpacked(bytes, file, largest), file, expected) };
}

/** The input that comes with the app. data/default-input.json names it. */
async function bundled(): Promise<InputText> {
  const { file, title } = JSON.parse(await readFile(appFile('data/default-input.json'), 'utf8')) as {
    file: string;
    title: string;
  };
  return { file, title, text: await readFile(appFile(`data/${file}`), 'utf8') };
}

function tooLarge(largest: number): string {
  return `it is larger than ${largest / 1024 / 1024} MiB`;
}

/** Reads a stream up to its end, or up to the limit: a device file may be endless. */
async function readAll(stream: AsyncIterable<unknown>, file: string, largest: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk as Uint8Array);
      length += bytes.length;
      if (length > largest) throw new Error(tooLarge(largest));
      chunks.push(bytes);
    }
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${whyUnreadable(error, file)}`, { cause: error });
  }
  return Buffer.concat(chunks);
}

async function unpacked(bytes: Uint8Array, file: string, largest: number): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: largest });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ERR_BUFFER_TOO_LARGE' ? `unpacked, ${tooLarge(largest)}` : (error as Error).message;
    throw new UsageError(`cannot unpack the gzip data of ${file}: ${why}`, { cause: error });
  }
}

/** Decodes a text. Refuses empty input and anything that is not text. */
function decode(bytes: Uint8Array, file: string, expected: string): string {
  const nul = bytes.indexOf(0);
  if (nul >= 0) throw noText(file, `byte ${nul} is 0x00`, expected);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw noText(file, 'it is not UTF-8', expected);
  }
  if (text.trim() === '') {
    throw new UsageError(`${file} is ${bytes.length === 0 ? 'empty' : 'blank'}; expected ${expected}`);
  }
  return text;
}

function noText(file: string, why: string, expected: string): UsageError {
  return new UsageError(`${file} is not a text file (${why}); expected ${expected}, plain or gzip`);
}
