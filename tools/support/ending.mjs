// What every tool does when it ends: its children end, and its temporary folders go.
//
// A tool ends early by SIGINT, SIGTERM or SIGHUP, or when its parent ends. The last one matters because npm starts a script
// through a shell: a signal to npm ends the shell and never reaches the tool.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';

/** How long children may take to end by themselves, and how often this looks. Milliseconds. */
const GRACE = 3000;
const LOOK = 50;
/** A terminal sends SIGINT to the children too: they get this long before they are told again. */
const HEARD = 500;

const SIGNALS = /** @type {const} */ (['SIGHUP', 'SIGINT', 'SIGTERM']);

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
let isEnding = false;
let isWatching = false;

/**
 * Ends a child, and all that it started, when this process ends early.
 *
 * @template {import('node:child_process').ChildProcess} T
 * @param {T} child
 * @returns {T} the child.
 */
export function endsWithUs(child) {
  children.add(child);
  child.once('close', () => children.delete(child));
  watch();
  return child;
}

/** Makes signals and the end of the parent end this process in an orderly way. A second call does nothing. */
export function watch() {
  if (isWatching) return;
  isWatching = true;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (isEnding) process.exit(codeOf(signal)); // the second time, at once
      void end(codeOf(signal), signal === 'SIGINT' ? HEARD : 0);
    });
  }
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent || isEnding) return;
    void end(codeOf('SIGHUP'), 0);
  }, 250);
  timer.unref();
}

/**
 * The exit code of a process that a signal ended.
 *
 * @param {NodeJS.Signals} signal
 */
export function codeOf(signal) {
  return 128 + constants.signals[signal];
}

/**
 * @param {number} code
 * @param {number} patience - milliseconds before children are told.
 */
async function end(code, patience) {
  isEnding = true;
  const pids = descendants([...children].flatMap(({ pid }) => pid ?? []));
  if (!(await ended(pids, patience))) {
    tell(pids, 'SIGTERM');
    if (!(await ended(pids, GRACE))) tell(pids, 'SIGKILL');
  }
  process.exit(code);
}

/**
 * @param {number[]} pids
 * @param {number} milliseconds
 */
async function ended(pids, milliseconds) {
  for (let left = milliseconds; ; left -= LOOK) {
    if (!pids.some(isRunning)) return true;
    if (left <= 0) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

/** @param {number} pid */
export function isRunning(pid) {
  const stat = statOf(pid);
  if (stat !== null) return stat.state !== 'Z'; // a zombie has ended
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * @param {number[]} pids
 * @param {NodeJS.Signals} signal
 */
function tell(pids, signal) {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}

/**
 * Processes with all their children and their children's children.
 *
 * @param {number[]} roots
 */
function descendants(roots) {
  const found = new Set(roots);
  const all = processes();
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

/** Linux has /proc and often no ps; macOS has ps and no /proc. Elsewhere only children are known. */
function processes() {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => statOf(Number(name)) ?? []);
  } catch {
    return listed();
  }
}

function listed() {
  try {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
    return lines
      .map((line) => line.trim().split(/\s+/).map(Number))
      .map(([pid = 0, parent = 0]) => ({ pid, parent }));
  } catch {
    return [];
  }
}

/**
 * The name of the program stands in brackets and may hold anything.
 *
 * @param {number} pid
 */
function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, state, parent: Number(parent) };
  } catch {
    return null;
  }
}
