// `npm run speed:explorer -- [part of a title]`: how fast the explorer is in Chromium. It fails where the page is interactive after more than
// 2 s, draws fewer than 30 frames a second with a million leaves, or reads a dump of 8 GiB whole into memory. Times are those of an idle
// machine. Without a Chromium it does nothing, unless VMAREA_BROWSER=required.
import { requiredChromium, runInExplorer } from './support/explorer.mjs';

const browser = requiredChromium('speed:explorer');
const [title] = process.argv.slice(2);
process.exitCode = await runInExplorer(browser, 'speed', title === undefined ? [] : ['-t', title]);
