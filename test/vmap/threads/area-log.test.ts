import { describe, expect, test } from 'vitest';
import { AreaLog } from '../../../packages/core/src/vmap/shared/area-log.js';
import { parsed, textOf } from '../../../packages/core/src/vmap/shared/log-text.js';

/** A thread that only keeps a list of words: a checkpoint is all words, a record is one. */
class Words {
  readonly log: AreaLog;
  words: string[] = [];

  constructor(log: AreaLog) {
    this.log = log;
  }

  read(): void {
    for (let news = this.log.read(); news !== null; news = this.log.read()) {
      if (news.checkpoint !== null) this.words = JSON.parse(news.checkpoint);
      this.words.push(...news.records);
    }
  }

  write(word: string): void {
    this.read();
    if (word.length > this.log.room) {
      this.words = this.words.slice(-3);
      expect(this.log.begin(JSON.stringify(this.words))).toBe(true);
    }
    this.log.append(word);
    this.words.push(word);
  }
}

function pair(bytes = 2000): { writer: Words; reader: Words } {
  const writer = new Words(AreaLog.create(bytes));
  writer.log.begin('[]');
  return { writer, reader: new Words(new AreaLog(writer.log.buffer)) };
}

/** Runs a call, and another one right before its atomic operation of a number. */
function interrupted(at: number, call: () => void, between: () => void): boolean {
  const { load, add } = Atomics;
  const atomics = Atomics as { load: typeof load; add: typeof add };
  let count = 0;
  const step = (): void => {
    if (count++ !== at) return;
    Object.assign(atomics, { load, add });
    between();
  };
  atomics.load = ((...args: Parameters<typeof load>) => {
    step();
    return load(...args);
  }) as typeof load;
  atomics.add = ((...args: Parameters<typeof add>) => {
    step();
    return add(...args);
  }) as typeof add;
  try {
    call();
  } finally {
    Object.assign(atomics, { load, add });
  }
  return count > at;
}

describe('an area log', () => {
  test('gives every record once, in order, also from before a new half', () => {
    const { writer, reader } = pair();
    const seen: string[] = [];
    for (let i = 0; i < 500; i++) {
      writer.write(`word ${i} ${'x'.repeat(i % 50)}`);
      const news = i % 5 === 0 ? reader.log.read() : null;
      if (news === null) continue;
      expect(news.checkpoint === null || i === 0).toBe(true);
      seen.push(...news.records);
    }
    expect(seen.map((word) => Number(word.split(' ')[1]))).toEqual(seen.map((_, i) => i));
    expect(seen.length).toBe(496);
  });

  test.each([1, 40, 120])('is read rightly when %i records come at any step of the reading', (records) => {
    for (let step = 0; ; step++) {
      const { writer, reader } = pair();
      for (let i = 0; i < 20; i++) writer.write(`word ${i}`);
      reader.read();
      for (let i = 20; i < 50; i++) writer.write(`word ${i}`);
      const isInterrupted = interrupted(
        step,
        () => reader.read(),
        () => {
          for (let i = 50; i < 50 + records; i++) writer.write(`word ${i}`);
        },
      );
      if (!isInterrupted) break;
      reader.read();
      expect(reader.words.slice(-4)).toEqual(writer.words.slice(-4));
      const numbers = reader.words.map((word) => Number(word.split(' ')[1]));
      expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] as number) + i));
    }
  });

  test('drops bytes that do not have their sum', () => {
    const { writer, reader } = pair();
    writer.write('a word');
    const bytes = new Uint8Array(writer.log.buffer);
    const at = String.fromCharCode(...bytes).indexOf('a word');
    bytes[at] = 0x62;
    expect(() => reader.log.read()).toThrow('the area log is damaged');
  });

  test('does not begin a half with a checkpoint that does not fit, and goes on in the other', () => {
    const { writer, reader } = pair();
    expect(writer.log.begin('x'.repeat(1000))).toBe(false);
    writer.write('one');
    reader.read();
    expect(reader.words).toEqual(['one']);
  });

  test('is refused when it is something else', () => {
    expect(() => new AreaLog(new SharedArrayBuffer(4096))).toThrow('EINVAL: this buffer is not an area log');
  });

  test('keeps all kinds of values as text', () => {
    const value = ['#1', '\\x', 'é\u0000€', 5n, 2n ** 64n, -1, 0.5, null, true, { a: [1n] }];
    const text = textOf(value);
    expect(text).toMatch(/^[ -~]*$/);
    expect(parsed(text)).toEqual(value);
  });
});
