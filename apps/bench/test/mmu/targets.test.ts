import { random } from '@vmarea/compare';
import { type Configuration, validateFormat } from '@vmarea/core';
import { describe, expect, it } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { ACCESSES, UNIT } from '../../src/mmu/guest/layout.js';
import type { Outcome, Target } from '../../src/mmu/target.js';
import { arm64Target } from '../../src/mmu/targets/arm64.js';
import { TARGETS } from '../../src/mmu/targets/index.js';
import { riscv64Target } from '../../src/mmu/targets/riscv64.js';
import { x8664Target } from '../../src/mmu/targets/x86-64.js';
import { compareVersions } from '../../src/mmu/version.js';

const { configurations } = await installedFormats('/');
const [KERNEL_READ, KERNEL_WRITE, KERNEL_FETCH, USER_READ, , USER_FETCH, PROBE] = ACCESSES;
const VA = 0xffff_8000_1234_5660n;

function outcome(target: Target, access: (typeof ACCESSES)[number], ...words: bigint[]): Outcome {
  return target.outcome(BigUint64Array.from(words), access, VA);
}

describe('every configuration', () => {
  it.each(configurations)('$name has one target, and settings that survive JSON', (configuration) => {
    const targets = TARGETS.filter((target) => target.judges(configuration));
    expect(targets).toHaveLength(1);
    const [target] = targets as [Target];
    for (let seed = 0; seed < 50; seed++) {
      const settings = target.settings(configuration, random(seed), '10.0');
      const { format, controls } = target.subject(configuration, JSON.parse(JSON.stringify(settings)));
      expect({ format, controls }.format.pageShift).toBe(configuration.format.pageShift);
      expect(Object.keys(controls).sort()).toEqual(Object.keys(configuration.format.controls).sort());
      const registers = target.registers({ format, controls }, target.ram.stub);
      expect(registers.every((register) => register >= 0n && register >> 64n === 0n)).toBe(true);
    }
  });

  it.each(TARGETS)(
    '$name: faults are planted in configurations that it judges, and each is for one',
    (target) => {
      const planted = configurations.filter(({ name }) => target.planted.includes(name));
      expect(planted).toHaveLength(target.planted.length);
      expect(planted.every(target.judges)).toBe(true);
      for (const { isFor, apply } of target.plants) {
        const fit = planted.filter(({ format }) => isFor?.(format) ?? true);
        expect(fit.length).toBeGreaterThan(0);
        for (const { format } of fit) expect(validateFormat(apply(format))).toBeUndefined();
      }
    },
  );

  it.each(TARGETS)('$name has tables and frames in memory, apart from the stub', ({ ram }) => {
    const { stub, frames, banks, bytes, offsetOf } = ram;
    for (const { base, bytes: length } of banks) {
      expect(offsetOf(base)).toBeGreaterThanOrEqual(0n);
      expect(offsetOf(base) + BigInt(length)).toBeLessThanOrEqual(bytes);
    }
    expect(offsetOf(frames[1] - 1n)).toBe(bytes - 1n);
    expect(stub < frames[0] || stub >= frames[1]).toBe(true);
    expect(ram.isEmpty(frames[1] - 1n)).toBe(false);
  });

  it.each(TARGETS)('$name has unit code that leaves room for the loaded address', ({ code }) => {
    for (const unit of [0, 0x7ff, 0x800, 0x1234_5678, 0xffff_ffff])
      expect(code(unit).length).toBeLessThanOrEqual(UNIT.loaded);
  });
});

describe('arm64', () => {
  const esr = (ec: number, iss: number): bigint => (BigInt(ec) << 26n) | (1n << 25n) | BigInt(iss);

  it('reads the outcome of an access', () => {
    expect(outcome(arm64Target, KERNEL_READ, esr(0x15, 0), 0n, 0x5000_0010n, 0n)).toEqual({
      kind: 'done',
      pa: 0x5000_0000n,
      unit: null,
    });
    expect(outcome(arm64Target, USER_FETCH, esr(0x15, 0), 0n, 77n, VA + 12n)).toEqual({
      kind: 'done',
      pa: null,
      unit: 77,
    });
    expect(outcome(arm64Target, KERNEL_WRITE, esr(0x25, 0x4f), VA + 24n, 0n, 0n)).toEqual({
      kind: 'fault',
      name: 'FSC',
      code: 0x0f,
      address: VA + 24n,
    });
    expect(outcome(arm64Target, USER_FETCH, esr(0x20, 0x0d), VA, 0n, VA)).toMatchObject({ code: 0x0d });
  });

  it('finds another class, direction or place odd', () => {
    // A read that reports a write, a user's abort from the kernel, an abort of a fetch by a load, a fetch that ends elsewhere.
    const odd = [
      outcome(arm64Target, KERNEL_READ, esr(0x25, 0x4f), VA, 0n, 0n),
      outcome(arm64Target, KERNEL_READ, esr(0x24, 0x0f), VA, 0n, 0n),
      outcome(arm64Target, USER_READ, esr(0x20, 0x0f), VA, 0n, 0n),
      outcome(arm64Target, KERNEL_FETCH, esr(0x15, 0), 0n, 77n, VA + 16n),
      outcome(arm64Target, KERNEL_FETCH, (1n << 63n) | esr(0x3c, 0), 0n, 0n, 0n),
    ];
    expect(odd.map(({ kind }) => kind)).toEqual(Array(5).fill('odd'));
  });

  it('reads PAR_EL1', () => {
    expect(outcome(arm64Target, PROBE, 0n, 0n, 0xff00_1234_5678_9b80n, 0n)).toEqual({
      kind: 'done',
      pa: 0x0000_1234_5678_9660n,
      unit: null,
    });
    expect(outcome(arm64Target, PROBE, 0n, 0n, 0x0800_0000_0000_080fn, 0n)).toMatchObject({
      kind: 'fault',
      code: 7,
      address: null,
    });
  });
});

describe('riscv64', () => {
  it('reads the outcome of an access', () => {
    const none = (1n << 64n) - 1n;
    expect(outcome(riscv64Target, KERNEL_READ, none, 0n, 0x9000_0010n, 0n)).toMatchObject({
      pa: 0x9000_0000n,
    });
    expect(outcome(riscv64Target, KERNEL_FETCH, 9n, 0n, 0xffff_ffff_8000_0001n, VA + 8n)).toMatchObject({
      unit: 0x8000_0001,
    });
    expect(outcome(riscv64Target, KERNEL_WRITE, 15n, VA + 24n, 0n, 0n)).toMatchObject({
      name: 'scause',
      code: 15,
    });
    expect(outcome(riscv64Target, USER_FETCH, 9n, 0n, 1n, VA + 8n).kind).toBe('odd');
    expect(outcome(riscv64Target, KERNEL_WRITE, 13n, VA, 0n, 0n).kind).toBe('odd');
    expect(outcome(riscv64Target, KERNEL_FETCH, 2n, 0n, 0n, VA).kind).toBe('odd');
  });
});

describe('x86-64', () => {
  it('reads the outcome of an access', () => {
    expect(outcome(x8664Target, KERNEL_READ, 0x80n, 0n, 0x1_0000_0010n, 0n)).toMatchObject({
      pa: 0x1_0000_0000n,
    });
    expect(outcome(x8664Target, USER_FETCH, 0x80n, 0n, 5n, VA + 7n)).toMatchObject({ unit: 5 });
    expect(outcome(x8664Target, USER_FETCH, 0x80n, 0n, 5n, VA + 8n).kind).toBe('odd');
    expect(outcome(x8664Target, USER_READ, 0x050en, VA + 16n, 0n, 0n)).toEqual({
      kind: 'fault',
      name: '#PF',
      code: 5,
      address: VA + 16n,
    });
    expect(outcome(x8664Target, USER_READ, 0x0dn, 3n, 0n, 0n)).toMatchObject({
      name: '#GP',
      code: 0,
      address: null,
    });
    expect(outcome(x8664Target, USER_READ, 0x06n, 0n, 0n, 0n).kind).toBe('odd');
  });

  it('points the first slot of each root to the stub, at every depth', () => {
    for (const name of ['x86-64', 'x86-64-la57']) {
      const { format } = configurations.find((one) => one.name === name) as Configuration;
      expect([...x8664Target.rootEntries(format).keys()]).toEqual([0]);
    }
  });
});

describe('deviations', () => {
  it('have different names, and a description', () => {
    const all = TARGETS.flatMap(({ deviations }) => deviations);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    for (const { about } of all) expect(about.length).toBeGreaterThan(20);
  });

  it.each([
    ['7.2.22', '10.0', -1],
    ['10.0.2', '10.0', 1],
    ['10.0', '10.0', 0],
    ['9.2.4', '10.0', -1],
  ])('version %s against %s', (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
  });
});
