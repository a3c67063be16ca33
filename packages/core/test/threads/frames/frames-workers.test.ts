import { expect, test } from 'vitest';
import { auditFrames } from '../../../src/memory/frames/shared/audit-frames.js';
import { describeFrames } from '../../../src/memory/frames/shared/describe-frames.js';
import { recoverFrames } from '../../../src/memory/frames/shared/recover-frames.js';
import { slotOf } from '../../../src/threads/registry.js';
import { programOf, runThread, startThread, type Thread } from '../worker.js';
import { type Seen, Signal, type Told } from './frames-words.js';
import { type Member, membersOf } from './support.js';

const FIRST = 1000;
const FRAMES = 700;
const RESERVED = [{ pfn: FIRST + 300, frames: 7 }];
const ALL = FRAMES - 7;

/** Threads that are killed. `VMAREA_KILLS=5000` kills more. */
const KILLS = Number(process.env.VMAREA_KILLS ?? 30);

const program = programOf(new URL('./frames-worker.ts', import.meta.url));

interface Shared {
  readonly main: Member;
  readonly owners: Int32Array;
  readonly told: Pick<Told, 'buffers' | 'description' | 'owners'>;
}

function share(): Shared {
  const [main] = membersOf({ first: FIRST, frames: FRAMES, reserved: RESERVED }, 1, 4) as [Member];
  const owners = new SharedArrayBuffer(4 * FRAMES);
  const told = { buffers: main.group.buffers, description: describeFrames(main.frames), owners };
  return { main, owners: new Int32Array(owners), told };
}

const signalsOf = (): SharedArrayBuffer => new SharedArrayBuffer(32);

test('two threads that take and free 20,000 times never have the same frame, and lose none', async () => {
  const { main, told } = share();
  const signals = signalsOf();
  const seen = await Promise.all(
    [1, 2].map((seed) => {
      const invitation = main.group.registry.invite();
      return runThread<Seen>(program, {
        ...told,
        signals,
        invitation,
        seed,
        rounds: 20_000,
        isInCall: false,
      });
    }),
  );
  expect(seen.map(({ conflicts }) => conflicts)).toEqual([0, 0]);
  expect(auditFrames(main.frames)).toEqual([]);
  expect(main.frames.stats()).toMatchObject({ free: ALL, allocated: 0 });
  expect(main.frames.allocateMany(ALL)).toHaveLength(ALL);
});

/** Resolves once a word has a value. */
async function until(words: Int32Array, at: number, value: number): Promise<void> {
  while (Atomics.load(words, at) !== value) await new Promise((resolve) => setTimeout(resolve, 1));
}

interface Running {
  readonly thread: Thread;
  readonly invitation: number;
  readonly signals: Int32Array;
}

/** Starts a thread that takes and frees until it is told to stop, and waits until it does. */
async function start({ main, told }: Shared, seed: number, isInCall: boolean): Promise<Running> {
  const signals = signalsOf();
  const invitation = main.group.registry.invite();
  const thread = startThread(program, { ...told, signals, invitation, seed, rounds: null, isInCall });
  const words = new Int32Array(signals);
  await until(words, Signal.running, 1);
  return { thread, invitation, signals: words };
}

/** Kills a thread at work, and recovers while the others go on. Returns how many blocks it had. */
async function kill({ main, owners }: Shared, victim: Running, isInCall: boolean): Promise<number> {
  const { registry } = main.group;
  const slot = slotOf(victim.invitation);
  await victim.thread.kill();
  expect(Atomics.load(victim.signals, Signal.conflicts)).toBe(0);
  for (let i = 0; i < FRAMES; i++) Atomics.compareExchange(owners, i, slot + 1, 0);
  registry.declareDead(victim.invitation);
  const { givenBack, held } = recoverFrames(main.frames);
  expect([...givenBack, ...held].every((block) => block.slot === slot)).toBe(true);
  if (isInCall) expect(held).toEqual([]);
  for (const { pfn, order } of held) main.frames.free(pfn, order);
  registry.free(slot);
  return givenBack.length + held.length;
}

/** Looks at the allocator while a thread stands still. */
async function expectSound({ main }: Shared, { signals }: Running): Promise<void> {
  Atomics.store(signals, Signal.pause, 1);
  await until(signals, Signal.isPaused, 1);
  expect(auditFrames(main.frames)).toEqual([]);
  expect(main.frames.stats().free).toBe(ALL - Atomics.load(signals, Signal.held));
  Atomics.store(signals, Signal.pause, 0);
  Atomics.notify(signals, Signal.pause);
  await until(signals, Signal.isPaused, 0);
}

test(
  `${KILLS} threads that are killed at work lose no frame, and leave none in two hands`,
  async () => {
    const shared = share();
    const steady = await start(shared, 7, false);
    let blocks = 0;
    for (let i = 0; i < KILLS; i++) {
      const isInCall = i % 2 === 1;
      const victim = await start(shared, 1000 + i, isInCall);
      await new Promise((resolve) => setTimeout(resolve, i % 4));
      blocks += await kill(shared, victim, isInCall);
      await expectSound(shared, steady);
    }
    expect(blocks).toBeGreaterThan(0);
    Atomics.store(steady.signals, Signal.stop, 1);
    expect(await steady.thread.ended).toMatchObject({ conflicts: 0 });
    expect(shared.main.frames.stats()).toMatchObject({ free: ALL, allocated: 0 });
  },
  60_000 + 2000 * KILLS,
);
