import { AddressSpace, FrameAllocator, PhysicalMemory, VM_SPARSE, VM_USERMAP } from '@vmarea/core';
import { Interpreter, link, loadObject } from '@vmarea/ebpf';
import { Mmu } from '@vmarea/mmu';
import { x8664, x8664Linux } from '@vmarea/x86-64';

// A kernel with the window of an arena: 4 GiB between two guards of 32 KiB. Its first page is there, the others are not.
const memory = PhysicalMemory.create({ bytes: 8 << 20 });
const frames = new FrameAllocator(memory);
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });
const window = kernel.getVmArea((4n << 30n) + (64n << 10n), VM_SPARSE | VM_USERMAP);
const kernVmStart = window.addr + (32n << 10n);
kernel.vmAreaMapPages(window, kernVmStart, kernVmStart + 4096n, [frames.allocate()]);

// A processor, and where user space has the arena.
const { format, root } = kernel.table;
const mmu = new Mmu({ memory, tables: { format, root, controls: format.controls } });
const arena = { mmu, kernVmStart, userVmStart: 1n << 44n, pages: 100, pageSize: 4096 };

// What clang 19 makes of this (a file has more: you would read it):
//   u64 sum(struct node __arena **head) {
//     u64 total = 0;
//     for (struct node __arena *node = *head; node; node = node->next) total += node->value;
//     return total;
//   }
const text = `
  f0VMRgIBAQAAAAAAAAAAAAEA9wABAAAAAAAAAAAAAAAAAAAAAAAAAPAAAAAAAAAAAAAAAEAAAAAAAEAABAABALcAAAAAAAAA
  eREAAAAAAAAVAQgAAAAAALcCAAAAAAAAvxEBAAEAAAB5EAgAAAAAAA8gAAAAAAAAeREAAAAAAAC/AgAAAAAAABUBAQAAAAAA
  BQD5/wAAAACVAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAASAAIAAAAAAAAAAABgAAAAAAAAAABzdW0Ac3lz
  Y2FsbAAuc3RydGFiAC5zeW10YWIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
  AAAAAAAAAAAAAAAAAAAAAA0AAAADAAAAAAAAAAAAAAAAAAAAAAAAANAAAAAAAAAAHQAAAAAAAAAAAAAAAAAAAAEAAAAAAAAA
  AAAAAAAAAAAFAAAAAQAAAAYAAAAAAAAAAAAAAAAAAABAAAAAAAAAAGAAAAAAAAAAAAAAAAAAAAAIAAAAAAAAAAAAAAAAAAAA
  FQAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAoAAAAAAAAAAwAAAAAAAAAAEAAAABAAAACAAAAAAAAAAYAAAAAAAAAA==
`;
const object = loadObject(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
console.log(object.programs.map(({ name, count }) => `${name} ${count}`)); // [ 'sum 12' ]

// Three nodes, as a program would write them: pointers are those of user space.
for (const [at, next, value] of [
  [0x100, 0x200, 5n],
  [0x200, 0x300, 7n],
  [0x300, 0x9000, 30n],
] as const) {
  mmu.copyIn(
    kernVmStart + BigInt(at),
    new Uint8Array(new BigUint64Array([arena.userVmStart + BigInt(next), value]).buffer),
  );
}

// The last one points to a page that is not there. Its loads give 0, which ends the loop, and Linux's lines are reported.
const lines: string[] = [];
const interpreter = new Interpreter(link(object, { arena }), {
  arena,
  report: ({ text }) => lines.push(text),
});
const context = new Uint8Array(new BigUint64Array([arena.userVmStart + 0x100n]).buffer);
console.log(interpreter.run('sum', { context })); // { value: 42n, instructions: 32 }
console.log(lines.join('\n'));
// ERROR: Arena READ access at unmapped address 0x100000009008
// ERROR: Arena READ access at unmapped address 0x100000009000

// What a verifier would refuse ends in a fault that names the instruction.
try {
  interpreter.run('sum');
} catch (error) {
  lines.push((error as Error).message);
}
console.log(lines.at(-1));
// 8 bytes at 0 of the context, which has 0
//   at instruction 1 of section syscall, in sum: r1 = *(u64 *)(r1 + 0x0)
