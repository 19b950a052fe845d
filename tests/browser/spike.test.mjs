// Our own operation with its own gradient, trained for a few steps in a browser's worker.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, open } from './browser.mjs';

// Software WebGPU takes seconds a step.
const PATIENCE = { timeout: 300_000 };

let browser;
let page;

before(async () => {
  browser = await launch();
  page = await open(browser, '/tests/browser/spike.html');
  await page.waitForFunction(() => typeof window.selfCheck === 'function');
}, { timeout: 60_000 });

after(() => browser?.close());

for (const device of ['flex', 'webgpu']) {
  test(`a model trains in a worker on ${device}`, PATIENCE, async () => {
    const { result, error } = await page.evaluate((name) => window.selfCheck(name), device);
    assert.equal(error, undefined, JSON.stringify(error));
    assert.equal(result.ok, true, JSON.stringify(result));
    assert.equal(result.device, device);
    assert.ok(Number.isFinite(result.worst_error) && result.worst_error >= 0, JSON.stringify(result));
    assert.ok(result.loss_after < result.loss_before, JSON.stringify(result));
  });
}

test('a device that does not exist is refused with an Error that has a code', PATIENCE, async () => {
  const { result, error } = await page.evaluate((name) => window.selfCheck(name), 'abacus');
  assert.equal(result, undefined);
  assert.equal(error.isError, true);
  assert.equal(error.code, 'usage');
  assert.match(error.message, /abacus/);
});
