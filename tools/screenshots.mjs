// `npm run screenshots`: takes the pictures of docs/pictures anew, from the explorer in Chromium. Each is below 60 kB. Without a Chromium it
// does nothing, unless VMAREA_BROWSER=required.
import { requiredChromium, runInExplorer } from './support/explorer.mjs';

process.exitCode = await runInExplorer(requiredChromium('screenshots'), 'screenshots');
