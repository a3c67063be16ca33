import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { UsageError } from '@vmarea/cli';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { LARGEST, readInput } from '../../src/input/read-input.js';
import { textOf, X86_GUEST } from '../support/files.js';

const { denied } = vi.hoisted(() => ({ denied: new Set<string>() }));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  return {
    ...real,
    createReadStream: (path: string) => {
      const stream = real.createReadStream(denied.has(path) ? '/' : path);
      if (denied.has(path)) stream.destroy(Object.assign(new Error('denied'), { code: 'EACCES' }));
      return stream;
    },
  };
});

const folder = mkdtempSync(join(tmpdir(), 'vmarea-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

const LINE = '0x1000-0x3000 8192 a+0x1/0x2 vmap\n';
const noStdin = Readable.from([]);

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function messageOf(path: string, stdin: AsyncIterable<unknown> = noStdin): Promise<string> {
  try {
    await readInput(path, stdin);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error('it was read');
}

describe('readInput', () => {
  it('has a bundled guest', async () => {
    const input = await readInput(undefined, noStdin);
    expect(input.text).toBe(textOf(X86_GUEST));
    expect(input.file).toBe('linux-6.12-x86-64.vmallocinfo.txt');
    expect(input.title).toMatch(/guest/);
  });

  it('reads files and standard input, plain and gzip', async () => {
    const zipped = gzipSync(LINE);
    const inPieces = Readable.from([zipped.subarray(0, 1), zipped.subarray(1)]);
    expect((await readInput(file('plain', LINE), noStdin)).text).toBe(LINE);
    expect((await readInput(file('zipped', zipped), noStdin)).text).toBe(LINE);
    expect((await readInput('-', Readable.from([LINE]))).text).toBe(LINE);
    expect(await readInput('-', inPieces)).toEqual({
      file: 'standard input',
      title: 'standard input',
      text: LINE,
    });
  });

  it('drops a byte order mark', async () => {
    expect((await readInput(file('bom', `\ufeff${LINE}`), noStdin)).text).toBe(LINE);
  });

  it.each([
    ['missing', () => join(folder, 'none'), /^cannot read .*none: there is no such file$/],
    ['under a file', () => join(file('leaf', LINE), 'x'), /there is no such file$/],
    ['directory', () => folder, /it is a directory; name a file$/],
    ['empty', () => file('empty', ''), /empty is empty; expected the lines of \/proc\/vmallocinfo$/],
    ['blank', () => file('blank', ' \r\n\n'), /blank is blank; expected/],
    [
      'binary',
      () => file('junk', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0)),
      /is not a text file \(byte 4 is 0x00\)/,
    ],
    [
      'other encoding',
      () => file('latin', Uint8Array.of(0x41, 0xe9, 0x41)),
      /is not a text file \(it is not UTF-8\)/,
    ],
    [
      'cut gzip',
      () => file('cut', gzipSync(LINE).subarray(0, 20)),
      /^cannot unpack the gzip data of .*cut: unexpected end of file$/,
    ],
    ['gzip of junk', () => file('zjunk', gzipSync(Uint8Array.of(0, 1, 2))), /is not a text file/],
    ['gzip of nothing', () => file('znone', gzipSync('')), /is empty/],
  ])('refuses: %s', async (_, path, message) => {
    expect(await messageOf(path())).toMatch(message);
  });

  it('says who may read /proc/vmallocinfo', async () => {
    denied.add('/proc/vmallocinfo').add('/some/file');
    expect(await messageOf('/proc/vmallocinfo')).toBe(
      'cannot read /proc/vmallocinfo: only root can read it; ' +
        'try: sudo cat /proc/vmallocinfo | vmarea-bench layout --vmallocinfo -',
    );
    expect(await messageOf('/some/file')).toBe('cannot read /some/file: permission denied');
  });

  it('refuses standard input that fails or is empty', async () => {
    const broken = Readable.from(
      (function* () {
        yield 'x';
        throw new Error('the pipe broke');
      })(),
    );
    expect(await messageOf('-', broken)).toBe('cannot read standard input: the pipe broke');
    expect(await messageOf('-', Readable.from([]))).toMatch(/^standard input is empty/);
  });

  it('refuses an endless file', async () => {
    const reading = readInput('/dev/zero', noStdin, 2 ** 20);
    await expect(reading).rejects.toThrow(/^cannot read \/dev\/zero: it is larger than 1 MiB$/);
    expect(LARGEST).toBe(256 * 2 ** 20);
  });

  it('refuses gzip data that unpacks without end', async () => {
    const bomb = gzipSync(Buffer.alloc(2 ** 20 + 1, '\n'));
    await expect(readInput('-', Readable.from([bomb]), 2 ** 20)).rejects.toThrow(
      /^cannot unpack the gzip data of standard input: unpacked, it is larger than 1 MiB$/,
    );
  });
});
