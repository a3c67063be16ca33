/**
 * A BPF program builds a list in an arena: two workers run it, each on a processor of its own. Two processes walk the list at the same
 * time, in workers of their own, through their own page tables. A fifth worker allocates and frees pages beside them.
 */
import { isMainThread, workerData } from 'node:worker_threads';
import { churn } from './churn.mjs';
import { lead } from './lead.mjs';
import { runProgram } from './program.mjs';
import { walk } from './user.mjs';

const roles = { program: runProgram, user: walk, churn };

if (isMainThread) await lead();
else roles[/** @type {keyof typeof roles} */ (workerData.role)](workerData);
