import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { boot } from '../examples/rv64/machine.mjs';

const folder = new URL('../examples/', import.meta.url);

describe('examples/rv64', () => {
  test('prints what README.md and examples/README.md show', () => {
    let printed = '';
    const program = readFileSync(new URL('rv64/kernel.bin', folder));
    const { mmu, supervisor, instructions } = boot(program, (text) => {
      printed += text;
    });
    for (const readme of ['README.md', '../README.md']) {
      const text = readFileSync(new URL(readme, folder), 'utf8');
      const [shown = ''] = /(?<=```text\n)\d+ primes[^`]*/.exec(text) ?? [];
      expect(shown).toContain(printed);
      expect(shown).toContain(`${supervisor.traps.get(15)} page faults of stores`);
      expect(shown).toContain(
        `${supervisor.switches} writes of satp, ${supervisor.fences} SFENCE.VMA, ${mmu.counters.walks} walks`,
      );
      expect(shown).toContain(`${instructions} instructions, `);
    }
  });

  test('has an RV64I core of fewer than 400 lines, and with the supervisor mode fewer than 500', () => {
    const linesOf = (names: readonly string[]) =>
      names.flatMap((name) => readFileSync(new URL(`rv64/${name}`, folder), 'utf8').split('\n')).length;
    expect(linesOf(['cpu.mjs', 'registers.mjs'])).toBeLessThan(400);
    expect(linesOf(['cpu.mjs', 'registers.mjs', 'supervisor.mjs'])).toBeLessThan(500);
  });
});
