// Breaks each condition, operator and block of a room of core in turn, runs the room's tests, and prints which percentage of
// these mutants they notice. A mode of its own: it takes hours.
//
//   node tools/mutation-score/run.mjs                  every room
//   node tools/mutation-score/run.mjs area             one room
//   node tools/mutation-score/run.mjs area/caller      files of one room whose path begins so
//   node tools/mutation-score/run.mjs area 0.25        a quarter of its mutants; VMAREA_SEED chooses another quarter
import { copyWithModules } from '../support/copy-repository.mjs';
import { packageFile, run } from '../support/run.mjs';
import { temporaryFolder } from '../support/temporary.mjs';
import { rooms } from './rooms.mjs';

const [chosen, share = '1'] = process.argv.slice(2);
const paths = chosen === undefined || chosen === 'all' ? Object.keys(rooms) : [chosen];
process.exitCode = isRight() ? await scoreAll() : 2;

function isRight() {
  const room = paths.map((path) => path.split('/')[0] ?? '').find((name) => !(name in rooms));
  if (room !== undefined) {
    console.error(`mutation-score: there is no room ${room}; the rooms are ${Object.keys(rooms).join(', ')}`);
  }
  const isShare = Number(share) > 0 && Number(share) <= 1;
  if (!isShare)
    console.error(`mutation-score: the share is ${share}: expected a number up to 1, for example 0.25`);
  return room === undefined && isShare;
}

/** @returns {Promise<number>} the highest exit code. */
async function scoreAll() {
  let code = 0;
  for (const path of paths) code = Math.max(code, await score(path));
  return code;
}

/** @param {string} path - a room, or the beginning of a path in it. */
async function score(path) {
  const room = path.split('/')[0];
  // Workspace packages are links into the repository, so Stryker's own copy would test sources without mutants.
  const copy = temporaryFolder('mutation-score');
  copyWithModules(copy);
  const mutate = path === room ? `packages/core/src/${room}/**/*.ts` : `packages/core/src/${path}*`;
  const stryker = packageFile('@stryker-mutator/core', 'bin/stryker.js');
  console.log(`${path}: ${share === '1' ? 'all mutants' : `a share of ${share} of the mutants`}`);
  return run(process.execPath, [stryker, 'run', 'tools/mutation-score/stryker.json', '--mutate', mutate], {
    cwd: copy,
    env: { ...process.env, VMAREA_ROOM: room, VMAREA_SHARE: share },
  });
}
