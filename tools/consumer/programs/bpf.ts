import { Interpreter, link, loadObject, ProgramFault } from '@vmarea/ebpf';

/** Refuses a file that is no object, and one that is cut off. */
export function run(): string {
  const messages: string[] = [];
  for (const bytes of [new Uint8Array(64), new Uint8Array(8)]) {
    try {
      const program = link(loadObject(bytes));
      new Interpreter(program).run('main');
    } catch (error) {
      if (error instanceof ProgramFault) throw error;
      messages.push((error as Error).message);
    }
  }
  if (messages.length !== 2) throw new Error('a file that is no object was loaded');
  return messages.join('; ');
}
