/**
 * A BPF program builds a list in an arena, and another one a hash table: two workers run it, each on a processor of its own. Two processes
 * walk what it builds at the same time, in workers of their own, through their own page tables. A fifth worker allocates and frees pages
 * beside them.
 */
import { isMainThread, workerData } from 'node:worker_threads';
import { churn } from './churn.mjs';
import { lead } from './lead.mjs';
import { runList, walkList } from './list.mjs';
import { runTable, walkTable } from './table.mjs';

/** @type {Record<string, Record<string, (told: import('./machine.mjs').Told) => void>>} */
const roles = {
  list: { program: runList, user: walkList, churn },
  htab: { program: runTable, user: walkTable, churn },
};

if (isMainThread) for (const name of ['list', 'htab']) await lead(name);
else roles[workerData.name]?.[workerData.role]?.(workerData);
