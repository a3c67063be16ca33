import { globalBytes, Interpreter, link, loadObject, type RunOptions } from '../src/index.js';
import { codeOf, EXIT, type Raw, set } from './support/code.js';
import { context, loaded, objectBytes } from './support/objects.js';
import { programOf } from './support/write-elf.js';

/** Prints millions of instructions a second: the median of some runs, and the slowest and fastest one. */
const runs = Number(process.argv[2] ?? 7);

const compiled = (name: string, shared = false): Interpreter =>
  new Interpreter(link(loadObject(objectBytes(name)), { shared }), { loops: 1_000_000 });

/** Stores and loads of the stack, by the frame pointer or by another register. */
function stackLoop(base: number): Interpreter {
  const body: Raw[] = [
    { op: 0x7b, dst: base, src: 2, off: -8 },
    { op: 0x79, dst: 3, src: base, off: -8 },
    { op: 0x63, dst: base, src: 3, off: -16 },
    { op: 0x61, dst: 4, src: base, off: -16 },
  ];
  const code = [
    { op: 0xbf, dst: 6, src: 10 },
    set(2, 0),
    ...body,
    { op: 0x07, dst: 2, imm: 1 },
    { op: 0xa5, dst: 2, off: -6, imm: 1_000_000 },
    set(0, 0),
    EXIT,
  ];
  return new Interpreter(link(loadObject(programOf(codeOf(...code)))));
}

function list(): Interpreter {
  const { program, interpreter } = loaded('list', 'x86-64');
  new DataView(program.data).setUint32(globalBytes(program, 'page_bytes').byteOffset, 4096, true);
  interpreter.run('fill', { context: context(25_000) });
  return interpreter;
}

const cases: readonly [
  what: string,
  interpreter: Interpreter,
  name: string,
  times: number,
  options?: RunOptions,
][] = [
  [
    'arithmetic and branches (xorshift in C)',
    compiled('loops'),
    'bounded',
    1,
    { context: context(1_000_000) },
  ],
  ['stack by the frame pointer', stackLoop(10), 'main', 1],
  ['stack by another register', stackLoop(6), 'main', 1],
  ['variables in .bss', compiled('loops'), 'endless', 1],
  ['variables in shared .bss', compiled('loops', true), 'endless', 1],
  ['a list of 25,000 elements in an arena', list(), 'sum', 40],
  ['the same list, reversed in place', list(), 'reverse', 40],
];

for (const [what, interpreter, name, times, options] of cases) {
  const speeds: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    let instructions = 0;
    for (let i = 0; i < times; i++) instructions += interpreter.run(name, options).instructions;
    speeds.push(instructions / (performance.now() - start) / 1000);
  }
  speeds.sort((a, b) => a - b);
  const [least, median, most] = [speeds[0], speeds[runs >> 1], speeds.at(-1)].map((one) =>
    (one as number).toFixed(0),
  );
  console.log(`${what.padEnd(42)} ${String(median).padStart(4)} million a second (${least} to ${most})`);
}
