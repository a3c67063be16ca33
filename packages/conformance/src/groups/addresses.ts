import { codeOf, ensure, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, Machine, placeOf, type Size, sizesOf } from '../machine.js';
import { addressOf } from '../tools/entries.js';

/** Physical addresses, bit by bit, into entries and out of them. */
export const addresses: Group = {
  name: 'addresses',
  cases: (subject) =>
    sizesOf(subject.format)
      .filter(({ entries }) => entries === 1)
      .flatMap((size): Case[] => [
        { id: `bits:level=${size.name}`, run: () => eachBit(subject, size) },
        { id: `limit:level=${size.name}`, run: () => limit(subject, size) },
      ]),
};

function eachBit(subject: Checked, size: Size): void {
  const { format } = subject;
  const { va } = placeOf(format, size);
  const bytes = 1n << BigInt(size.shift);
  const all = ((1n << BigInt(format.paBits)) - 1n) & ~(bytes - 1n);
  const list = [0n, all];
  for (let bit = size.shift; bit < format.paBits; bit++)
    list.push(1n << BigInt(bit), all & ~(1n << BigInt(bit)));
  const machine = new Machine(format);
  const { table } = machine;
  for (const pa of list) {
    table.mapRange(va, pa, bytes, dataOf(subject), { maxLeafShift: size.shift });
    const { level, entry } = machine.last(va);
    same(level, size.level, 'the level of the leaf');
    same(addressOf(format, entry, size.shift), pa, 'the address in the entry');
    same(table.translate(va), pa, 'translate');
    same(table.walk(va + bytes - 1n).pa, pa + bytes - 1n, 'walk of the last byte');
    table.unmap(va, bytes);
  }
}

/** The first frame that does not fit is refused, and nothing is done. */
function limit(subject: Checked, size: Size): void {
  const { format } = subject;
  const { va } = placeOf(format, size);
  const machine = new Machine(format);
  const before = machine.state();
  const bytes = 1n << BigInt(size.shift);
  const end = 1n << BigInt(format.paBits);
  const call = (pa: bigint) => codeOf(() => machine.table.mapRange(va, pa, bytes, dataOf(subject)));
  same(call(end), 'EINVAL', 'mapping the first frame that does not fit');
  same(
    call(end - machine.page),
    size.shift === format.pageShift ? 'none' : 'EINVAL',
    'mapping beyond the last frame',
  );
  if (size.shift !== format.pageShift) same(machine.state(), before, 'the state after a refused call');
  else machine.table.unmap(va, bytes, { reclaim: true });
  const list = [Number((end - machine.page) / machine.page), Number(end / machine.page)];
  const kept = machine.state();
  same(
    codeOf(() => machine.table.map(va, list, dataOf(subject))),
    'EINVAL',
    'mapping a list with a frame that does not fit',
  );
  ensure(machine.state() === kept, 'a refused list changed something');
}
