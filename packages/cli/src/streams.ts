import { EXIT_INTERNAL } from './errors.js';
import { endBy } from './process/cleanup.js';

/**
 * Ends the process when a stream cannot be written: quietly when the reader has closed the pipe, as `head` does; else with a
 * message.
 *
 * @param name - of the program.
 */
export function endWithStreams(name: string): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') endBy('SIGPIPE');
      else if (stream === process.stderr) process.exit(EXIT_INTERNAL);
      else {
        process.stderr.write(`${name}: cannot write the result: ${error.message}\n`);
        process.exit(EXIT_INTERNAL);
      }
    });
  }
}
