import { runInNewContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import { optionsOf } from '../../src/check/options.js';
import { VmError } from '../../src/errors.js';

interface Options {
  readonly mode?: string;
  readonly paBits?: number;
  readonly guardPages?: number;
}

const NAMES = ['mode', 'paBits', 'guardPages'] as const;
const read = (value: unknown): unknown => optionsOf(value as Options, NAMES, 'format()');

describe('right options', () => {
  test('are copied, and frozen', () => {
    const given = { mode: 'sv39', paBits: 40 };
    const copy = read(given);
    expect(copy).toEqual(given);
    expect(copy).not.toBe(given);
    expect(Object.isFrozen(copy)).toBe(true);
  });

  test('are the same empty record each time when they are undefined', () => {
    expect(read(undefined)).toBe(read(undefined));
    expect(Object.keys(read(undefined) as object)).toEqual([]);
    expect(Object.isFrozen(read(undefined))).toBe(true);
  });

  test('have no member for undefined, and one for null', () => {
    expect(Object.entries(read({ mode: undefined, paBits: null }) as object)).toEqual([['paBits', null]]);
  });

  test('may come from another realm, have no prototype, or be an instance with own properties', () => {
    expect(read(runInNewContext('({ mode: "sv39" })'))).toEqual({ mode: 'sv39' });
    expect(read(Object.assign(Object.create(null), { mode: 'sv39' }))).toEqual({ mode: 'sv39' });
    class Mine {
      mode = 'sv39';
    }
    expect(read(new Mine())).toEqual({ mode: 'sv39' });
  });

  test('are read once: a getter runs once', () => {
    const mode = vi.fn(() => 'sv39');
    const options = Object.defineProperty({}, 'mode', { get: mode, enumerable: true });
    expect(read(options)).toEqual({ mode: 'sv39' });
    expect(mode).toHaveBeenCalledTimes(1);
  });

  test('are read once through a proxy', () => {
    const gets: PropertyKey[] = [];
    const options = new Proxy(
      { mode: 'sv39', paBits: 40 },
      {
        get(target, name) {
          gets.push(name);
          return Reflect.get(target, name);
        },
      },
    );
    expect(read(options)).toEqual({ mode: 'sv39', paBits: 40 });
    expect(gets).toEqual(['mode', 'paBits']);
  });

  test('do not include symbols, or additions to Object.prototype', () => {
    Object.defineProperty(Object.prototype, 'paBits', {
      ...{ value: 1, configurable: true, enumerable: true, writable: true },
    });
    try {
      expect(Object.keys(read({ mode: 'sv39', [Symbol('paBits')]: 2 }) as object)).toEqual(['mode']);
    } finally {
      delete (Object.prototype as { paBits?: number }).paBits;
    }
  });

  test('pass on the error of a getter', () => {
    const options = {
      get mode(): string {
        throw new RangeError('mine');
      },
    };
    expect(() => read(options)).toThrow(new RangeError('mine'));
  });
});

describe('an unknown name is refused', () => {
  test.each([
    ['mod', 'did you mean `mode`?'],
    ['MODE', 'did you mean `mode`?'],
    ['pabits', 'did you mean `paBits`?'],
    ['guardPage', 'did you mean `guardPages`?'],
    ['guard', 'did you mean `guardPages`?'],
    ['pageSize', 'it has mode, paBits, guardPages'],
    ['__proto__', 'it has mode, paBits, guardPages'],
    ['constructor', 'it has mode, paBits, guardPages'],
    ['', 'it has mode, paBits, guardPages'],
    ['m'.repeat(100_000), 'it has mode, paBits, guardPages'],
  ])('%s', (name, advice) => {
    const options = JSON.parse(`{ ${JSON.stringify(name)}: 1 }`);
    expect(() => read(options)).toThrow(`EINVAL: format() has no option \`${name}\`; ${advice}`);
  });

  test('before its value is read', () => {
    const mod = vi.fn();
    expect(() => read(Object.defineProperty({}, 'mod', { get: mod, enumerable: true }))).toThrow(VmError);
    expect(mod).not.toHaveBeenCalled();
  });

  test('even with the value undefined', () => {
    expect(() => read({ mod: undefined })).toThrow('no option `mod`');
  });

  test('by a call without options, and with the given word for members', () => {
    expect(() => optionsOf({ sumo: true } as object, [], 'kestrel', 'control')).toThrow(
      'EINVAL: kestrel has no control `sumo`; it has none',
    );
  });
});

describe('a value that is not an options object is refused', () => {
  test.each([
    [null, 'null'],
    ['sv39', "'sv39'"],
    [39, '39'],
    [39n, '39n'],
    [true, 'true'],
    [Symbol('s'), 'Symbol(s)'],
    [() => 1, 'a function'],
    [class {}, 'a function'],
    [[], 'an array'],
    [['mode'], 'an array'],
    [runInNewContext('[]'), 'an array'],
    [new Map([['mode', 'sv39']]), 'an object'],
    [new Date(0), 'an object'],
    [new Uint8Array(), 'an object'],
  ])('%o', (value, text) => {
    expect(() => read(value)).toThrow(VmError);
    expect(() => read(value)).toThrow(
      `EINVAL: the options of format() are ${text}; pass an object with any of mode, paBits, guardPages`,
    );
  });

  test('when a known name is inherited, since it would not be read', () => {
    class Mine {
      get mode(): string {
        return 'sv39';
      }
    }
    for (const options of [Object.create({ mode: 'sv39' }), new Mine()]) {
      expect(() => read(options)).toThrow(
        'EINVAL: the option `mode` of format() is inherited; pass an object',
      );
    }
  });
});
