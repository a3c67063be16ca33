/**
 * A small riscv64 processor boots a supervisor and two processes: `@vmarea/mmu` translates, checks and forgets for it.
 */
import { readFileSync } from 'node:fs';
import { boot } from './machine.mjs';

const CAUSES = new Map([
  [8, 'system calls'],
  [15, 'page faults of stores'],
]);

const program = readFileSync(new URL('kernel.bin', import.meta.url));
const start = performance.now();
const { mmu, supervisor, instructions } = boot(program, (text) => process.stdout.write(text));
const seconds = (performance.now() - start) / 1000;

for (const [cause, count] of supervisor.traps)
  console.log(`${count} ${CAUSES.get(cause) ?? `traps of cause ${cause}`}`);
console.log(
  `${supervisor.switches} writes of satp, ${supervisor.fences} SFENCE.VMA, ${mmu.counters.walks} walks`,
);
console.log(`${instructions} instructions, ${Math.round(instructions / seconds / 1e6)} million a second`);
