import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compile, compiler, objectOf, programs } from '../../programs/build.mjs';
import { OBJECTS } from '../support/objects.js';

const { command, problem } = compiler();

test('each program in C has its object, and no other is committed', () => {
  expect(programs().sort()).toEqual([...OBJECTS].sort());
});

describe(`an object is what the compiler makes of its program${problem === null ? '' : ` (skipped: ${problem})`}`, () => {
  test.skipIf(problem !== null).each(OBJECTS)('%s.bpf.o', (name) => {
    expect(compile(command, name).equals(readFileSync(objectOf(name)))).toBe(true);
  });
});
