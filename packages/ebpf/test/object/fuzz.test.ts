import { VmError } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { Interpreter, link, loadObject, ProgramFault } from '../../src/index.js';
import { arenaMachine } from '../support/arena-machine.js';
import { OBJECTS, objectBytes } from '../support/objects.js';

/** VMAREA_RUNS multiplies the number of changes: 10 for a run over night. */
const MUTATIONS = 250 * Number(process.env.VMAREA_RUNS ?? 1);

/** Numbers by xorshift, so that a failure can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** Places that decide much: the header, the section headers, and the starts of sections. */
function placesOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const headers = Number(view.getBigUint64(40, true));
  const places = Array.from({ length: 64 }, (_, i) => i);
  for (let at = headers; at < bytes.length; at++) places.push(at);
  for (let at = headers; at + 64 <= bytes.length; at += 64) {
    const [start, size] = [
      Number(view.getBigUint64(at + 24, true)),
      Number(view.getBigUint64(at + 32, true)),
    ];
    for (let i = 0; i < Math.min(48, size) && start + i < bytes.length; i++) places.push(start + i);
  }
  return places;
}

const VALUES = [0, 1, 2, 4, 8, 0x10, 0x7f, 0x80, 0xfe, 0xff];
const { port, kfuncs } = arenaMachine('x86-64', { pages: 16 });
const OTHERS = ['vm_double', 'vm_look', 'vm_five', 'vm_mixed'];
const names = [...Object.keys(kfuncs), ...OTHERS];
const given = { ...kfuncs, ...Object.fromEntries(OTHERS.map((name) => [name, () => {}])) };

/** Loads, links and runs what a file has, and tells how far it came. What is refused must be refused in words. */
function endOf(bytes: Uint8Array): 'refused' | 'linked' | 'run' {
  let programs: readonly { readonly name: string }[] = [];
  let interpreter: Interpreter;
  try {
    const object = loadObject(bytes);
    programs = object.programs;
    const program = link(object, { arena: port, kfuncs: names });
    interpreter = new Interpreter(program, { arena: port, kfuncs: given, loops: 10 });
  } catch (error) {
    if (error instanceof VmError) return 'refused';
    throw error;
  }
  for (const { name } of programs.slice(0, 4)) {
    try {
      interpreter.run(name, { budget: 300, context: new Uint8Array(64) });
    } catch (error) {
      if (!(error instanceof ProgramFault) && !(error instanceof VmError)) throw error;
    }
  }
  return programs.length > 0 ? 'run' : 'linked';
}

describe.each(OBJECTS)('%s.bpf.o', (name) => {
  const bytes = objectBytes(name);

  test(`with up to four bytes changed, ${MUTATIONS} times, is refused in words or works`, () => {
    const random = randomFrom(0x9e3779b9 ^ bytes.length);
    const places = placesOf(bytes);
    const ends = { refused: 0, linked: 0, run: 0 };
    for (let i = 0; i < MUTATIONS; i++) {
      const copy = bytes.slice();
      for (let change = random(4); change >= 0; change--) {
        const at = random(2) === 0 ? random(copy.length) : (places[random(places.length)] as number);
        copy[at] = random(2) === 0 ? random(256) : (VALUES[random(VALUES.length)] as number);
      }
      ends[endOf(copy)]++;
    }
    // Both happen often, or the test would look at one side alone.
    expect(ends.refused).toBeGreaterThan(MUTATIONS / 20);
    expect(ends.run).toBeGreaterThan(MUTATIONS / 20);
  });

  test('cut off anywhere is refused in words', () => {
    const random = randomFrom(bytes.length);
    for (let i = 0; i < 200; i++) {
      const length = i < 100 ? i : random(bytes.length);
      expect(endOf(bytes.slice(0, length))).toBe('refused');
    }
  });
});
