import { expect, test } from 'vitest';
import { faultText } from '../../src/page/shared/text.js';

test.each([
  ['#PF', 21, '#PF 0x15'],
  ['FSC', 15, 'FSC 0xf'],
  ['cause', 13, 'cause 0xd'],
])('a fault %s of the number %i is written %s', (name, code, text) => {
  expect(faultText({ code: { name, code } })).toBe(text);
});
