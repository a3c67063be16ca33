import { createReadStream } from 'node:fs';
import {
  type Command,
  type Console,
  count,
  pageSizeName,
  plural,
  UsageError,
  whyUnreadable,
} from '@vmarea/cli';
import { printable } from '@vmarea/core';
import { AddressReader } from '../input/address-reader.js';
import { DUMP_ARGUMENTS, ROOT_ARGUMENTS, type RootValues } from '../input/arguments.js';
import { openRoot } from '../input/open-root.js';
import { Lines } from '../output/lines.js';
import { TranslationText } from '../output/translation-text.js';
import { Translations } from '../show/translate.js';
import { inspectCommand } from './command.js';

interface TranslateValues extends RootValues {
  readonly from?: string;
}

/** `translate`: many addresses. */
export const translate: Command = inspectCommand(
  'translate',
  'Translate addresses: of the arguments, of a file, or of standard input, a line for each',
  {
    ...DUMP_ARGUMENTS,
    addresses: {
      type: 'positional',
      required: false,
      valueHint: 'VA…',
      description: 'Virtual addresses, hexadecimal. Without any, they are read from standard input',
    },
    ...ROOT_ARGUMENTS,
    from: {
      type: 'string',
      valueHint: 'ADDRESSES',
      description: 'A file of addresses; - for standard input',
    },
  },
  runTranslate,
  [
    'translate vmcore ffffffff81000000 ffff888000001000',
    'translate vmcore --from addresses.txt',
    'cut -d" " -f1 trace.txt | vmarea-inspect translate vmcore --json',
  ],
);

async function runTranslate(values: TranslateValues, io: Console): Promise<void> {
  const given = values._.slice(1);
  const { from = given.length === 0 ? '-' : undefined } = values;
  if (from !== undefined && given.length > 0)
    throw new UsageError('addresses are given as arguments and with --from: leave one out');
  const open = await openRoot(values, io);
  const lines = new Lines(io.stdout);
  try {
    const { table, format } = open.chosen;
    const text = new TranslationText(format.pageShift, values.json === true, (shift) =>
      pageSizeName(2 ** shift),
    );
    let wait: Promise<void> | null = null;
    const translations = new Translations(table, (batch) => {
      wait = lines.write(text.of(batch));
    });
    const add = (hi: number, lo: number): void => translations.add(hi, lo);
    const reader = new AddressReader(from === undefined ? 'the arguments' : nameOf(from), add);
    const push = async (bytes: Uint8Array): Promise<void> => {
      // Pieces, so that no piece makes more text than is written at once.
      for (let at = 0; at < bytes.length; at += PIECE) {
        reader.push(bytes.subarray(at, at + PIECE));
        if (wait !== null) await wait;
      }
    };
    try {
      if (from === undefined) for (const one of given) await push(new TextEncoder().encode(`${one}\n`));
      else for await (const chunk of chunksOf(from, io)) await push(chunk);
      reader.end();
    } finally {
      translations.flush();
      await wait;
    }
    io.stderr.write(
      `${count(translations.found)} of ${count(translations.asked)} addresses are translated\n`,
    );
    if (translations.missing > 0)
      io.stderr.write(
        `${plural(translations.missing, 'address is', 'addresses are')} unknown (?): the dump lacks a table on the way\n`,
      );
  } finally {
    open.close();
  }
}

/** Bytes of text that are read between two writes. */
const PIECE = 32768;

function nameOf(from: string): string {
  return from === '-' ? 'standard input' : printable(from);
}

async function* chunksOf(from: string, io: Console): AsyncIterable<Uint8Array> {
  const stream = from === '-' ? io.stdin : createReadStream(from);
  try {
    for await (const chunk of stream)
      yield typeof chunk === 'string' ? new TextEncoder().encode(chunk) : (chunk as Uint8Array);
  } catch (error) {
    throw new UsageError(`cannot read ${nameOf(from)}: ${whyUnreadable(error)}`, { cause: error });
  }
}
