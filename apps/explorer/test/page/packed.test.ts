import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MOST_IN_LINK, pack, unpack } from '../../src/page/shared/packed.js';

describe('a text in a link', () => {
  test('comes back, and needs no escape', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (text) => {
        const packed = await pack(text);
        expect(packed).toMatch(/^[\w-]*$/);
        expect(await unpack(packed ?? '')).toBe(text);
      }),
    );
  });

  test('is refused where it is too long', async () => {
    let seed = 1;
    const random = Array.from({ length: 9000 }, () => {
      seed = Math.imul(seed, 1_103_515_245) + 12_345;
      return String.fromCharCode(33 + ((seed >>> 16) % 94));
    }).join('');
    expect(await pack(random)).toBeNull();
    expect((await pack(random.slice(0, 6000)))?.length).toBeLessThan(MOST_IN_LINK);
    expect(await pack('a'.repeat(2 ** 20 + 1))).toBeNull();
  });

  test('is none when it was cut, changed, or would fill the memory', async () => {
    const packed = (await pack('console.log(1);\n'.repeat(20))) ?? '';
    expect(await unpack(packed.slice(0, -9))).toBeNull();
    expect(await unpack('%%%')).toBeNull();
    expect(await unpack('a'.repeat(MOST_IN_LINK + 1))).toBeNull();
    const bomb = deflateRawSync(Buffer.alloc(2 ** 22, 97)).toString('base64url');
    expect(bomb.length).toBeLessThan(MOST_IN_LINK);
    expect(await unpack(bomb)).toBeNull();
  });
});
