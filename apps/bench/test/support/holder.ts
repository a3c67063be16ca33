// A program that starts a child in a temporary folder, and ends as it is told on standard input.
import { endBy, startChild, temporaryFolder } from '@vmarea/cli';

const [pipe = ''] = process.argv.slice(2);
const folder = temporaryFolder('vmarea-test-');
// The child and its own child hold the pipe open as long as they live.
const script = 'exec 9>"$1"; echo "$2" >&9; sleep 1000 & wait';
startChild('sh', ['-c', script, 'sh', pipe, folder.path]);
process.stdout.on('error', () => endBy('SIGPIPE'));
process.stdin.setEncoding('utf8').on('data', (order: string) => {
  if (order === 'exit') process.exit(7);
  else if (order === 'throw') throw new Error('as told');
  else process.stdout.write('a line that nobody reads\n');
});
