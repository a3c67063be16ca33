import { expect, test, vi } from 'vitest';
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
  // A clock of the test: a busy machine has another one. Each look at it takes half a millisecond.
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 0.5;
    return now;
  });
  const { steps, views, calls, error } = await recorded(`${KERNEL}
for (let i = 0; i < 5_000; i++) kernel.vfree(kernel.vmalloc(4096));
kernel.vmalloc(8192, { caller: 'the_last_one' });
`);
  clock.mockRestore();
  expect(error).toBeNull();
  expect(calls).toBe(10_002);
  const numbers = steps.map(({ number }) => number);
  expect(numbers.slice(0, 400)).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
  // One in 100 ms, which are 200 calls here: to record each would take minutes.
  expect(numbers.length).toBeGreaterThan(400 + 40);
  expect(numbers.length).toBeLessThan(400 + 52);
  expect(numbers.toSorted((a, b) => a - b)).toEqual(numbers);
  expect(steps.at(-1)).toMatchObject({ number: calls, error: null });
  expect(steps.at(-1)?.call).toMatch(/^kernel\.vmalloc\(8192, \{ caller: 'the_last_one' \}\)$/);
  expect(views[steps.at(-1)?.spaces[0] ?? -1]?.vmallocinfo).toContain('the_last_one');
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
