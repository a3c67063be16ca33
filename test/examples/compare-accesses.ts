import { configurations } from '@vmarea/arm64';
import {
  AccessCase,
  AccessSimulation,
  AccessSurvey,
  accessBatch,
  LOAD,
  TableBudget,
  touchBacking,
} from '@vmarea/compare';
import { TLB_PRESETS } from '@vmarea/mmu';

// A program that reads one word of each 4 KiB of 32 MiB, twice.
const batch = accessBatch(16384);
batch.length = 16384;
for (let i = 0; i < batch.length; i++) {
  batch.kind[i] = LOAD;
  batch.lo[i] = 0x40000000 + (i % 8192) * 4096;
  batch.bytes[i] = 8;
}

// First its pages, then page tables for them, then each access on each processor.
const survey = new AccessSurvey();
survey.add(batch);
const { touched, accesses } = survey;
const budget = new TableBudget(2 ** 30);
const cases = configurations.flatMap((configuration) => {
  const backing = touchBacking(configuration, 'base', {
    touched,
    budget,
    dense: 50,
    frames: 'adjacent',
    seed: 1,
  });
  const presets = TLB_PRESETS.filter(({ name }) => name === 'neoverse-v2');
  if (typeof backing === 'string' || !/^arm64-(4|64)k-48$/.test(configuration.name)) return [];
  return presets.map(
    (preset) => new AccessCase(backing, preset, { seed: 1, walkCaches: 'champsim', assumeRuns: false }),
  );
});
const simulation = new AccessSimulation(cases, accesses);
simulation.feed(batch);
const rows = simulation
  .rows(touched)
  .map(
    ({ configuration, walks, tableReads, tables }) =>
      `${configuration}: ${walks} walks, ${tableReads.total} reads, ${tables.bytes / 1024} KiB of tables`,
  );
console.log(rows.join('\n'));
// arm64-4k-48: 16384 walks, 16402 reads, 76 KiB of tables
// arm64-64k-48: 512 walks, 514 reads, 192 KiB of tables
