import fc from 'fast-check';
import { expect, test } from 'vitest';

test('a property that fails ends, however long it could be shrunk', () => {
  let runs = 0;
  const { interrupted, failed, counterexample } = fc.check(
    fc.property(fc.array(fc.nat(), { minLength: 20, maxLength: 150, size: 'max' }), () => {
      runs++;
      const until = performance.now() + 20;
      while (performance.now() < until);
      return false;
    }),
    { interruptAfterTimeLimit: 100 },
  );
  expect({ interrupted, failed }).toEqual({ interrupted: true, failed: true });
  expect(counterexample).not.toBeNull();
  expect(runs).toBeLessThan(50);
});

test('all properties have such a limit, and pass only when all their cases ran', () => {
  const { interruptAfterTimeLimit, markInterruptAsFailure } = fc.readConfigureGlobal();
  expect(interruptAfterTimeLimit).toBeGreaterThan(0);
  expect(markInterruptAsFailure).toBe(true);
});

test('a property meets the same cases in each run, and others in the long mode', () => {
  const draw = () => fc.sample(fc.nat(), 8);
  if (process.env.VMAREA_LONG === '1') expect(fc.readConfigureGlobal().seed).toBeUndefined();
  else expect(draw()).toEqual(draw());
});
