import { beforeEach, expect, test, vi } from 'vitest';

vi.hoisted(() => vi.stubGlobal('location', { hash: '' }));
vi.mock('./engine', () => import('./engine.fake'));

import { engine } from './engine.fake';
import { pause, run, skip, step, stop } from './run';
import { app } from './state.svelte';

beforeEach(() => engine.fresh());

test('a job is shown while it runs, and its result is kept before it ends', async () => {
  engine.gives.combine = ({ progress }) => {
    progress({ label: 'Combining', done: 1, total: 2 });
    expect(app.running).toMatchObject({ name: 'combine', paused: false, progress: { done: 1 } });
    return 'made';
  };
  let kept: unknown = null;
  const result = await run('combine', app.choice, {}, (made) => {
    kept = [made, app.running?.name];
  });
  expect([result, kept, app.running]).toEqual(['made', ['made', 'combine'], null]);
});

test('at most one runs', async () => {
  let end = () => {};
  engine.gives.combine = () => new Promise<void>((resolve) => (end = resolve));
  const first = run('combine', app.choice);
  expect(await run('race', {} as never)).toBe(null);
  end();
  await first;
  expect(engine.asked.map(([name]) => name)).toEqual(['combine']);
});

test('a failure is said and leaves room for the next', async () => {
  engine.gives.combine = () => Promise.reject(new Error('Stopped.'));
  expect(await run('combine', app.choice)).toBe(null);
  expect([app.error, app.status, app.running]).toEqual(['Stopped.', 'Stopped.', null]);
  engine.gives.combine = () => 'made';
  expect(await run('combine', app.choice)).toBe('made');
  expect(app.error).toBe(null);
});

test('pause goes on the second time, and a step leaves the job paused', async () => {
  pause();
  step();
  expect(engine.commands).toEqual([]);
  engine.gives.race = () => {
    pause();
    expect([app.running?.paused, app.status]).toEqual([true, 'Paused.']);
    pause();
    expect([app.running?.paused, app.status]).toEqual([false, 'Going on.']);
    step();
    expect([app.running?.paused, app.status]).toEqual([true, 'One step.']);
    skip();
    expect(app.running?.paused).toBe(false);
    stop();
    expect(app.status).toBe('Stopping.');
  };
  await run('race', {} as never);
  expect(engine.commands).toEqual(['pause', 'resume', 'step', 'skip', 'stop']);
});
