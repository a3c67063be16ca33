import { existsSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Bundle, bundleApp } from '../support/bundle.js';
import { HANG, start, Watched } from '../support/real-process.js';

vi.setConfig({ testTimeout: HANG });

let bundle: Bundle;
let watched: Watched;
beforeAll(() => {
  bundle = bundleApp();
});
afterAll(() => bundle.remove());
beforeEach(() => {
  watched = new Watched();
});
afterEach(() => watched.remove());

describe.skipIf(process.platform === 'win32')('a process with a child and a temporary folder', () => {
  const begin = async () => {
    const started = start(bundle.holder, [watched.pipe]);
    const folder = await watched.begunBy(started);
    expect(existsSync(folder)).toBe(true);
    return { ...started, folder };
  };

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'is ended by %s with its child, and its folder is removed',
    async (signal) => {
      const { child, ended, folder } = await begin();
      child.kill(signal);
      expect(await ended).toEqual({ code: null, signal, err: '' });
      await watched.gone;
      expect(existsSync(folder)).toBe(false);
    },
  );

  it('is killed, and then its child and the child of that end too', async () => {
    const { child, ended, folder } = await begin();
    child.kill('SIGKILL');
    expect(await ended).toMatchObject({ signal: 'SIGKILL' });
    await watched.gone;
    // No process was left to remove it.
    rmSync(folder, { recursive: true });
  });

  it('is ended by a closed pipe, as other tools are', async () => {
    const { child, ended, folder } = await begin();
    child.stdout?.destroy();
    child.stdin?.write('write');
    expect(await ended).toEqual({ code: null, signal: 'SIGPIPE', err: '' });
    await watched.gone;
    expect(existsSync(folder)).toBe(false);
  });

  it.each([
    ['exit', 7],
    ['throw', 1],
  ])('ends by %s, and both go', async (order, code) => {
    const { child, ended, folder } = await begin();
    child.stdin?.write(order);
    expect(await ended).toMatchObject({ code, signal: null });
    await watched.gone;
    expect(existsSync(folder)).toBe(false);
  });
});
