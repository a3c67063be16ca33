import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { boot } from '../examples/rv64/machine.mjs';

const folder = new URL('../examples/', import.meta.url);

describe('examples/rv64', () => {
  test('prints what examples/README.md shows', () => {
    let printed = '';
    const program = readFileSync(new URL('rv64/kernel.bin', folder));
    const { mmu, supervisor, instructions } = boot(program, (text) => {
      printed += text;
    });
    const [shown = ''] = /(?<=```text\n)[^`]*/.exec(readFileSync(new URL('README.md', folder), 'utf8')) ?? [];
    expect(shown).toContain(printed);
    expect(shown).toContain(`${supervisor.traps.get(15)} page faults of stores`);
    expect(shown).toContain(
      `${supervisor.switches} writes of satp, ${supervisor.fences} SFENCE.VMA, ${mmu.counters.walks} walks`,
    );
    expect(shown).toContain(`${instructions} instructions, `);
  });

  test('has an RV64I core of fewer than 400 lines', () => {
    const lines = ['cpu.mjs', 'registers.mjs'].flatMap((file) =>
      readFileSync(new URL(`rv64/${file}`, folder), 'utf8').split('\n'),
    );
    expect(lines.length).toBeLessThan(400);
  });
});
