// node tools/test-totals.mjs REPORT STATUS
// Prints the tests that failed. The last line is "N passed, N failed", from vitest's JSON report. Fails when a test failed, when no
// test ran, or when STATUS is not 0: another check failed.
import { existsSync, readFileSync } from 'node:fs';

const [reportFile = '', status = '1'] = process.argv.slice(2);
const report = existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, 'utf8')) : null;
const passed = report?.numPassedTests ?? 0;
const failed = report?.numFailedTests ?? 0;

/** @type {string[]} */
const problems = [];
if (status !== '0') problems.push(`a check ended with ${status}; see above`);
if (!report) problems.push(`the test report ${reportFile} is missing`);
else if (!report.success) problems.push('the test run was not successful');
if (failed > 0) problems.push(`${failed} tests failed`);
if (passed + failed === 0) problems.push('no test ran');

for (const { name, assertionResults } of report?.testResults ?? [])
  for (const { status: outcome, fullName, failureMessages } of assertionResults)
    if (outcome === 'failed')
      console.log(`${name}: ${fullName}: ${failureMessages[0]?.split('\n')[0] ?? ''}`);
for (const problem of problems) console.log(`FAILED: ${problem}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = problems.length > 0 ? 1 : 0;
