import { totalmem } from 'node:os';
import { constrainedMemory } from 'node:process';

/** Half of the memory that this process may use, in bytes. */
export function memoryLimit(): number {
  const constrained = constrainedMemory();
  return Math.min(totalmem(), constrained > 0 ? constrained : Number.POSITIVE_INFINITY) / 2;
}
