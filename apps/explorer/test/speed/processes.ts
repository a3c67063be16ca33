import { readdirSync, readFileSync } from 'node:fs';

/** What processes have done and take, by Linux's /proc. */
export interface Used {
  /** Bytes that read() and its kin gave them since they began. */
  readonly read: number;
  /** Most memory that the largest of them had resident. Bytes. */
  readonly largest: number;
}

/** Adds up all processes below this one: the browser that it has started. */
export function usedByChildren(): Used {
  let read = 0;
  let largest = 0;
  for (const pid of below(process.pid)) {
    try {
      read += Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0);
      const most = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0;
      largest = Math.max(largest, 1024 * Number(most));
    } catch {
      // It has ended meanwhile.
    }
  }
  return { read, largest };
}

function below(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name of a program may have blanks and brackets.
      const parent = Number(/.*\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1] ?? 0);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It has ended meanwhile.
    }
  }
  const all: number[] = [];
  for (const todo = [...(children.get(pid) ?? [])]; todo.length > 0; ) {
    const one = todo.pop() as number;
    all.push(one);
    todo.push(...(children.get(one) ?? []));
  }
  return all;
}
