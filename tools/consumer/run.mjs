// What somebody who installs the published packages gets. Packs every published package and app, installs the tarballs in an empty
// project outside the repository, and uses them there in every supported way. Everything must have been built.
// Prints one line per check and fails when one fails.
//
// The programs in ./programs are what is run. Each exports `run(): string` and throws when something is wrong.
// They see the packages only: no Node, no DOM.
import { basename } from 'node:path';
import { root } from '../support/run.mjs';
import { temporaryFolder } from '../support/temporary.mjs';
import { Checks } from './checks.mjs';
import { pack, published } from './packages.mjs';
import { usePackages } from './use-packages.mjs';

const checks = new Checks('consumer');
const packages = published(root);
/** @type {Map<string, string>} */
let tarballs = new Map();
const isPacked = await checks.check(`pack ${packages.length} tarballs`, async () => {
  tarballs = await pack(root, packages, temporaryFolder('tarballs'));
  return [...tarballs.values()].map((file) => basename(file)).join(', ');
});
if (isPacked) await usePackages(checks, packages, tarballs, { changelog: false });
checks.finish();
