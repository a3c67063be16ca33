import type { Region } from '@vmarea/core';
import { thrown } from '@vmarea/testkit';
import { expect, test } from 'vitest';
import { kernelOf, regionOf } from './kernel.js';

/** The window begins here. An area of one page has a page of guard, so areas begin at every second page. */
export const START = 0xffff_c900_0000_0000n;
/** Bytes of a page. */
export const PAGE = 4096;
/** The address of a page of the window, as messages name it. */
export const page = (index: number): string => `0x${(START + BigInt(index * PAGE)).toString(16)}`;
/** The name of an area of one page that was reserved first. */
export const FIRST = `the area ${page(0)} .. ${page(1)}`;

/** A kernel in which a call is refused. */
export type World = ReturnType<typeof kernelOf>;
/** What a call does that is refused in a new space, and the whole message. */
export type Refusal = readonly [title: string, call: (world: World) => unknown, message: string];

/** A test for each refusal. */
export function refuses(refusals: readonly Refusal[], name = 'x86-64'): void {
  test.each(refusals)('%s', (_, call, message) => {
    const world = kernelOf(name);
    expect(thrown(() => call(world))).toBe(message);
  });
}

/** An area of vmap over two frames. */
export const mapped = ({ kernel }: World): bigint => kernel.vmap([7, 8]);
/** A region of a process of the kernel. */
export const userRegion = ({ kernel }: Pick<World, 'kernel'>, bytes = 16 * PAGE): Region =>
  regionOf(kernel, 'x86-64', bytes).region;
