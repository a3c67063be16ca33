/**
 * Run a BPF program in an arena: two processors build a list, and two processes walk it through their own page tables.
 */
import { readFileSync } from 'node:fs';
import { createArena } from '@vmarea/arena';
import { configurations as arm64 } from '@vmarea/arm64';
import { AddressSpace, type Configuration, FrameAllocator, hex, PhysicalMemory, Process } from '@vmarea/core';
import {
  type ArenaReport,
  arenaAddress,
  globalBytes,
  Interpreter,
  link,
  loadObject,
  storeArenaGlobals,
} from '@vmarea/ebpf';
import { Mmu, shootdown } from '@vmarea/mmu';
import { configurations as x8664 } from '@vmarea/x86-64';

// What clang made of packages/ebpf/programs/list.bpf.c: its programs `fill` and `sum`, and the map of an arena.
const file = new URL('../packages/ebpf/programs/list.bpf.o', import.meta.url);
const object = loadObject(readFileSync(file));
const [map] = object.maps;
if (map === undefined) throw new Error('the object has no arena');

/** Numbers of 64 bits as a program has them. */
const bytesOf = (...values: bigint[]): Uint8Array => new Uint8Array(new BigUint64Array(values).buffer);

/** A kernel with an arena, two processes that map it, and the program on two processors. */
function boot({ format, userFormat = format, linux }: Configuration) {
  const { pageShift } = format;
  const pageSize = 2 ** pageShift;
  const memory = PhysicalMemory.create({ bytes: 16 << 20 });
  const tablePages = (12 << 20) / pageSize;
  const frames = new FrameAllocator(memory, { pageShift, frames: tablePages });
  const ram = new FrameAllocator(memory, { pageShift, first: tablePages });

  // Both processors translate with the kernel's tables, and each forgets what a flush names.
  const processors = [new Mmu({ memory, tables: null }), new Mmu({ memory, tables: null })] as const;
  const kernel = new AddressSpace({ format, linux, memory, frames, ram, sink: shootdown(processors) });
  for (const mmu of processors)
    mmu.switchTables({ format, root: kernel.table.root, controls: format.controls });
  const arena = createArena(kernel, { maxEntries: map.maxEntries, flags: map.flags });

  // The first process decides where users and programs see the arena. The second one maps it at the same address.
  const userOf = () => {
    const mmu = new Mmu({ memory, tables: null });
    const process = new Process({ kernel, userFormat, sink: mmu.sink });
    const { table, asid } = process;
    mmu.switchTables({ format: userFormat, root: table.root, controls: userFormat.controls }, asid);
    arena.mmap(process);
    return { process, mmu, faults: 0 };
  };
  const users = [userOf(), userOf()] as const;

  // The program's variables in the arena take its last page. Others, such as the page size, are beside the arena.
  const kfuncs = arena.kfuncs();
  const program = link(object, { arena: arena.port(), kfuncs: Object.keys(kfuncs) });
  arena.allocPages(arena.userVmStart + BigInt(program.arenaGlobals?.offset ?? 0), 1);
  storeArenaGlobals(program, arena.port());
  globalBytes(program, 'page_bytes').set(bytesOf(BigInt(pageSize)).subarray(0, 4));
  const lines: string[] = [];
  const interpreters = processors.map((mmu) => {
    const report = (one: ArenaReport) =>
      lines.push(`${one.text}, ${one.function}: ${one.source?.text.trim()}`);
    return new Interpreter(program, { arena: arena.port(mmu), kfuncs, report });
  });
  return { name: format.name, pageSize, frames, ram, arena, users, program, interpreters, lines };
}

type Machine = ReturnType<typeof boot>;
type User = Machine['users'][number];

/** The two words of an address. */
const wordsOf = (va: bigint): [hi: number, lo: number] => [Number(va >> 32n), Number(va & 0xffff_ffffn)];

/** A load by user mode. The process's fault handler maps a page that is not there. */
function load(user: User, va: bigint): bigint {
  const { process, mmu } = user;
  if (mmu.access(va, 'read', true).fault !== null) {
    user.faults++;
    const result = process.handleFault(va, 'read');
    if (result !== 'mapped') throw new Error(`the process gets a signal: ${result}`);
  }
  return mmu.load64(...wordsOf(va), true);
}

/** What a process sees of the list. */
function walk(user: User, { program }: Machine): string {
  let [elements, sum] = [0, 0n];
  for (let at = load(user, arenaAddress(program, 'head')); at !== 0n; at = load(user, at)) {
    elements++;
    sum += load(user, at + 8n);
  }
  return `${elements} elements, sum ${sum}, ${user.faults} faults`;
}

/** Runs the program `sum` on a processor. */
function sumOn(processor: number, { program, interpreters }: Machine): bigint {
  interpreters[processor]?.run('sum');
  const { buffer, byteOffset } = globalBytes(program, 'list_sum');
  return new DataView(buffer, byteOffset).getBigUint64(0, true);
}

/** What the arena says that it uses, and what it and all others took. */
const used = ({ arena, frames, ram }: Machine): string =>
  `${arena.memUsage()} bytes, ${ram.stats().allocated} frames, ${frames.stats().allocated} tables`;

/** The processors take turns: each adds 300 elements to the list, four times. */
function fill(machine: Machine): string {
  for (let turn = 0; turn < 8; turn++)
    machine.interpreters[turn % 2]?.run('fill', { context: bytesOf(300n) });
  return `sums ${sumOn(0, machine)} and ${sumOn(1, machine)}, ${used(machine)}`;
}

/** A process changes the value of the first element, 299. */
function change(machine: Machine): string {
  const [user, other] = machine.users;
  const value = load(user, arenaAddress(machine.program, 'head')) + 8n;
  user.mmu.store64(...wordsOf(value), true, 1_000_000n);
  return `${load(other, value)}, sums ${sumOn(0, machine)} and ${sumOn(1, machine)}`;
}

/** Frees the page before that of the first element. */
function freeOne(machine: Machine): string {
  const { arena, users, program, pageSize } = machine;
  const first = load(users[0], arenaAddress(program, 'head'));
  const freed = first - (first % BigInt(pageSize)) - BigInt(pageSize);
  const outcome = arena.freePages(freed, 1);
  const codes = users.map(({ mmu }) => mmu.access(freed, 'read', true).fault?.code);
  return `${outcome}: ${codes.map((code) => `${code?.name} ${code?.code}`).join(', ')}, ${used(machine)}`;
}

/** The program follows a pointer to the page that is gone. */
function follow(machine: Machine): string {
  const sums = `sums ${sumOn(0, machine)} and ${sumOn(1, machine)}`;
  return `${sums}, ${machine.lines.length} reports\n${machine.lines[0]}`;
}

/** Ends the processes and the arena. */
function end({ users, arena, ram, frames }: Machine): string {
  for (const { process } of users) process.destroy();
  arena.destroy();
  return `${ram.stats().allocated} frames, ${frames.stats().allocated} tables`;
}

const machines = [...x8664, ...arm64].filter(({ name }) => /^(x86-64|arm64-16k-47)$/.test(name)).map(boot);
const each = (step: (machine: Machine) => string): string => machines.map(step).join('\n');

// The three frames: the program's variables, the arena's scratch page, and the zero page of processes. Most tables are the window's: Linux
// makes them in advance.
console.log(each((one) => `${one.name}: ${hex(one.arena.userVmStart)}, ${used(one)}`));
// x86-64: 0x00007ffff7f37000, 4096 bytes, 3 frames, 2121 tables
// arm64-16k-47: 0x00007ffff7ce0000, 16384 bytes, 3 frames, 133 tables

// The program allocates a page when it needs one.
console.log(each(fill));
// sums 358800 and 358800, 45056 bytes, 13 frames, 2121 tables
// sums 358800 and 358800, 65536 bytes, 6 frames, 133 tables

// Each process finds the same list. A page takes one fault and no frame. Only tables are added.
console.log(each((one) => `${walk(one.users[0], one)}; ${walk(one.users[1], one)}`));
// 2400 elements, sum 358800, 11 faults; 2400 elements, sum 358800, 11 faults
// 2400 elements, sum 358800, 4 faults; 2400 elements, sum 358800, 4 faults
console.log(each(used));
// 45056 bytes, 13 frames, 2127 tables
// 65536 bytes, 6 frames, 137 tables

// What a process stores, the other one and both processors load.
console.log(each(change));
// 1000000, sums 1358501 and 1358501
// 1000000, sums 1358501 and 1358501

// After a free, both processes have lost the page, and their processors its translation: these are their faults.
console.log(each(freeOne));
// freed: #PF 4, #PF 4, 40960 bytes, 12 frames, 2127 tables
// freed: FSC 7, FSC 7, 49152 bytes, 5 frames, 137 tables

// Loads from there give 0, so the list ends. On each processor two loads are reported, with the line of the source.
console.log(each(follow));
// sums 1023845 and 1023845, 4 reports
// ERROR: Arena READ access at unmapped address 0x7ffff7f3fff8, sum: total += one->value;
// sums 1058773 and 1058773, 4 reports
// ERROR: Arena READ access at unmapped address 0x7ffff7ce7ff8, sum: total += one->value;

// A process that follows the pointer gets a new page of zeros: one more element, with the value 0.
console.log(each((one) => `${walk(one.users[1], one)}, ${used(one)}`));
// 97 elements, sum 1023845, 12 faults, 45056 bytes, 13 frames, 2127 tables
// 353 elements, sum 1058773, 5 faults, 65536 bytes, 6 frames, 137 tables

// All pages come back. The kernel keeps tables for the next area, as Linux does.
console.log(each(end));
// 0 frames, 2119 tables
// 0 frames, 131 tables
