import {
  type Access,
  type FaultKind,
  hex,
  type PageTableFormat,
  type Rule,
  type Shape,
  toBigint,
  VmError,
} from '@vmarea/core';
import { ensure, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, Machine } from '../machine.js';
import type { Manual, Told } from '../manual.js';
import { leafLevels } from '../members.js';
import { firstAddress } from '../tools/addresses.js';
import { addressBits, addressMask, brokenRule, kindOf, matches } from '../tools/entries.js';

/** Entries that must fault, made from the rules one by one, and the numbers of faults. */
export const faults: Group = {
  name: 'faults',
  cases(subject, { manual }): Case[] {
    const { format } = subject;
    const cases: Case[] = [];
    for (const [level, { name, table, leaf }] of format.levels.entries()) {
      for (const [kind, shape] of [['table', table] as const, ['leaf', leaf] as const]) {
        if (shape === null) continue;
        for (const [i, rule] of shape.rules.entries()) {
          // What breaks a rule of a leaf may be a table, which is tried first: then nothing shows the rule here.
          const entries = breaking(soundOf(subject, level, kind), shape, rule).filter(
            (entry) => kind === 'table' || table === null || !matches(entry, table.match),
          );
          if (entries.length === 0) continue;
          cases.push({
            id: `rule=${i}:${kind}:level=${name}`,
            run: () => broken(subject, level, kind, entries),
          });
        }
        const add = (id: string, bits: readonly bigint[]): void => {
          if (bits.length === 0) return;
          const run = (): void =>
            broken(
              subject,
              level,
              kind,
              bits.map((bit) => soundOf(subject, level, kind) | bit),
            );
          cases.push({ id: `${id}:${kind}:level=${name}`, run });
        };
        add('reserved', reservedBits(manual, kind, name));
        // An entry can name more frames than the processor has.
        add('beyond', bitsOf(addressMask(format, format.paBits)));
      }
    }
    cases.push({ id: 'codes', run: () => codes(format) });
    for (const told of manual.faults === undefined ? [] : (Object.keys(TELLS) as Told[])) {
      cases.push({
        id: `codes:${told}`,
        run: () => tells(format, told, manual.faults?.includes(told) === true),
      });
    }
    return cases;
  },
};

function reservedBits({ reserved = [] }: Manual, kind: 'table' | 'leaf', name: string): bigint[] {
  const all = reserved
    .filter((one) => one.in === kind && (one.level ?? name) === name)
    .reduce((bits, one) => bits | one.bits, 0n);
  return bitsOf(all);
}

/** The bits of a mask, one by one. */
function bitsOf(mask: bigint): bigint[] {
  return Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit)).filter((bit) => (mask & bit) !== 0n);
}

/** An entry that breaks no rule. */
function soundOf(subject: Checked, level: number, kind: 'table' | 'leaf'): bigint {
  const { format } = subject;
  if (kind === 'leaf') return toBigint(format.encode(dataOf(subject), level));
  return toBigint(format.tableEntry) | addressBits(format, 1n << BigInt(format.pageShift));
}

/** Entries of a kind that break one rule: each bit that must be 0 or 1 the other way, or the value that must not be. */
function breaking(sound: bigint, shape: Shape, { when, mask, value, must }: Rule): bigint[] {
  const base = when === undefined ? sound : (sound & ~toBigint(when.mask)) | toBigint(when.value);
  const kept = (base & ~toBigint(mask)) | toBigint(value);
  if (must === 'differ') return [kept].filter((entry) => matches(entry, shape.match));
  const list: bigint[] = [];
  for (let bit = 1n; bit < 1n << 64n; bit <<= 1n) if ((toBigint(mask) & bit) !== 0n) list.push(kept ^ bit);
  return list.filter((entry) => matches(entry, shape.match));
}

/** Puts entries into a walk, which must fault there, as the first rule that is broken says. */
function broken(subject: Checked, level: number, kind: 'table' | 'leaf', entries: readonly bigint[]): void {
  const { format } = subject;
  const machine = new Machine(format);
  const va = firstAddress(format);
  machine.table.map(va, [1], dataOf(subject));
  const { address } = machine.reads(va)[level] as { address: bigint };
  for (const entry of entries) {
    const { table, leaf } = format.levels[level] as { table: Shape | null; leaf: Shape | null };
    const rule = brokenRule(kind === 'table' ? table : leaf, entry);
    const wanted = rule?.fault ?? 'reserved';
    same(kindOf(format, level, entry), wanted, `the kind of ${hex(entry)} at level ${level}`);
    machine.memory.write64(address, entry);
    const { fault, pa } = machine.table.walk(va);
    same([fault?.kind, fault?.level], [wanted, level], `the fault of ${hex(entry)}`);
    same([pa, machine.table.translate(va)], [null, null], `the translation by ${hex(entry)}`);
  }
}

const KINDS: readonly FaultKind[] = [
  ...(['address', 'not-present', 'reserved', 'address-size', 'external', 'access-flag'] as const),
  ...(['permission', 'protection-key'] as const),
];
const READ: Access = { kind: 'read', user: false };

/** The number of a fault as text; `null` for one that the architecture never raises. */
function codeOf(format: PageTableFormat, kind: FaultKind, level: number, access: Access): string | null {
  try {
    const { name, code } = format.faultCode({ kind, level }, access, format.controls);
    return `${name} ${code}`;
  } catch (error) {
    if (error instanceof VmError && error.code === 'EINVAL') return null;
    throw error;
  }
}

/** Some faults have another number than others: the same for all would tell nothing. */
function codes(format: PageTableFormat): void {
  const found = new Set<string>();
  for (const kind of KINDS) {
    for (const access of ['read', 'write', 'execute'] as const) {
      const code = codeOf(format, kind, format.levels.length - 1, { kind: access, user: false });
      if (code !== null) found.add(code);
    }
  }
  ensure(found.size > 1, `every fault has the number ${[...found].join()}`);
}

/** For each thing that a number may tell, lists of faults that differ in nothing else. */
const TELLS: Readonly<Record<Told, (format: PageTableFormat) => (string | null)[][]>> = {
  kind: (format) =>
    leafLevels(format).map((level) =>
      (['not-present', 'permission'] as const).map((kind) => codeOf(format, kind, level, READ)),
    ),
  level: (format) => [
    leafLevels(format).map((level) => codeOf(format, 'permission', level, READ)),
    format.levels.map((_, level) => codeOf(format, 'not-present', level, READ)),
  ],
  access: (format) =>
    leafLevels(format).map((level) =>
      (['read', 'write', 'execute'] as const).map((kind) =>
        codeOf(format, 'permission', level, { kind, user: false }),
      ),
    ),
  side: (format) =>
    leafLevels(format).map((level) =>
      [false, true].map((user) => codeOf(format, 'permission', level, { kind: 'read', user })),
    ),
};

function tells(format: PageTableFormat, told: Told, isTold: boolean): void {
  for (const list of TELLS[told](format)) {
    ensure(!list.includes(null), 'a fault that every architecture has is without a number');
    same(
      new Set(list).size,
      isTold ? list.length : 1,
      `numbers of faults of another ${told}: ${list.join()}`,
    );
  }
}
