import { expect, test } from 'vitest';
import type { Recorded } from '../../src/try/calls.js';
import { runProgram } from '../../src/try/run-program.js';
import { recorded } from './recorded.js';

const KERNEL = `
import { AddressSpace, FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames: new FrameAllocator(memory) });
`;

test('each step and each line is told when it is made, not at the end', async () => {
  const told: Recorded[] = [];
  let resolve = (): void => {};
  const held = new Promise<void>((done) => {
    resolve = done;
  });
  (globalThis as { held?: Promise<void> }).held = held;
  const code = `${KERNEL}console.log('one');\nkernel.vmalloc(4096);\nawait globalThis.held;\nkernel.vmalloc(4096);`;
  const end = runProgram(code, (part) => told.push(part));
  await expect.poll(() => told.length).toBe(3);
  expect(told[1]?.output).toEqual(['one']);
  expect(told[2]?.steps[0]).toMatchObject({ number: 2, printed: 1, spaces: [1] });
  expect(told[2]?.views[0]?.areas.length).toBe(1);
  resolve();
  expect(await end).toEqual({ error: null, calls: 3 });
  expect(told.length).toBe(4);
});

test('of a program with many calls the first ones, some later ones and the last one are recorded', async () => {
  const { steps, views, calls, error } = await recorded(`${KERNEL}
for (let i = 0; i < 250; i++) kernel.vfree(kernel.vmalloc(4096));
const until = performance.now() + 1000;
while (performance.now() < until) kernel.vfree(kernel.vmalloc(4096));
kernel.vmalloc(8192, { caller: 'the_last_one' });
`);
  expect(error).toBeNull();
  const numbers = steps.map(({ number }) => number);
  expect(numbers.slice(0, 400)).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
  expect(calls).toBeGreaterThan(2000);
  expect(numbers.length).toBeGreaterThan(402);
  // One in 100 ms, and no more.
  expect(numbers.length).toBeLessThan(415);
  expect(numbers.toSorted((a, b) => a - b)).toEqual(numbers);
  expect(steps.at(-1)).toMatchObject({ number: calls, error: null });
  expect(steps.at(-1)?.call).toMatch(/^kernel\.vmalloc\(8192, \{ caller: 'the_last_one' \}\)$/);
  expect(views[steps.at(-1)?.spaces[0] ?? -1]?.vmallocinfo).toContain('the_last_one');
});

test('a hundred thousand calls take little more time when some are recorded', async () => {
  const code = `
const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames: new FrameAllocator(memory) });
const began = performance.now();
for (let i = 0; i < 50_000; i++) kernel.vfree(kernel.vmalloc(4096));
const took = performance.now() - began;
`;
  const { AddressSpace, FrameAllocator, PhysicalMemory } = await import('@vmarea/core');
  const { x8664, x8664Linux } = await import('@vmarea/x86-64');
  const given = { AddressSpace, FrameAllocator, PhysicalMemory, x8664, x8664Linux };
  const plain = (): number =>
    new Function(...Object.keys(given), `${code}return took;`)(...Object.values(given));
  plain();
  const imports = KERNEL.split('\n').slice(0, 3).join('\n');
  const { calls, output } = await recorded(`${imports}${code}console.log(took);`);
  expect(calls).toBe(100_001);
  // With a stack and a text for each call it was 12 to 20 times as long. It is 1.2 times, after a slow begin.
  expect(Number(output[0])).toBeLessThan(6 * plain());
});

test('a mistake in a call that was passed over is recorded with it', async () => {
  const { steps, calls, error } = await recorded(`${KERNEL}
for (let i = 0; i < 500; i++) kernel.vfree(kernel.vmalloc(4096));
kernel.vmalloc(0);
`);
  expect(error?.message).toMatch(/^EINVAL/);
  expect(steps.at(-1)).toMatchObject({ number: calls, result: null, error: error?.message });
});

test('a program prints no more than two thousand lines', async () => {
  const { output } = await recorded('for (let i = 0; i < 1e5; i++) console.log(i);');
  expect(output.length).toBe(2001);
});
