// A GPU that refuses a shader or is lost, under the page: it says so, and goes on on the CPU.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch } from './browser.mjs';
import { assertSteady, give, PHOTOS, press, scored, visit } from './page.mjs';
import { spoilShaders } from './shaders.mjs';

// Software WebGPU takes seconds a step.
const PATIENCE = { timeout: 600_000 };
const WEBGPU = '#device=webgpu&size=16&width=2&batch=4&epochs=30&ipc=1';

let browser;

before(async () => {
  browser = await launch();
}, { timeout: 60_000 });

after(() => browser?.close());

/** Keeps the device for the test to destroy. Runs in the worker. */
function keepDevice() {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...given) {
    globalThis.device = await requestDevice.apply(this, given);
    return globalThis.device;
  };
}

/** Notes for every start of scoring whether it goes on from a checkpoint. Runs in the page. */
function noteStarts() {
  const { postMessage } = Worker.prototype;
  globalThis.starts = [];
  Worker.prototype.postMessage = function (message, ...more) {
    if (message.job === 'score') globalThis.starts.push(message.options.checkpoint ? 'checkpoint' : 'beginning');
    postMessage.call(this, message, ...more);
  };
}

async function start(worker) {
  const visited = await visit(browser, WEBGPU, noteStarts, worker);
  await visited.page.getByText(/Runs on WebGPU/).waitFor();
  await give(visited.page, 'photos.zip', PHOTOS);
  await press(visited.page, /^Score the images/);
  return visited;
}

/** The page says why it goes on on the CPU, and does; how long the main thread was held up meanwhile is printed. */
async function assertGoesOn(page, why, from, context) {
  const notice = page.getByRole('note');
  await notice.filter({ hasText: 'The device failed, and the run goes on on the CPU' }).waitFor();
  assert.match(await notice.textContent(), why);
  await page.getByText(/Runs on the CPU, .*, because WebGPU failed/).waitFor();
  await scored(page);
  await page.getByText('30 of 30').waitFor();
  assert.deepEqual(await page.evaluate(() => globalThis.starts), ['beginning', from]);
  assert.equal(await page.getByRole('alert').count(), 0);
  // A notice that is worth it moves what is below it.
  await assertSteady(page, context, 0.1);
}

/** What the browser says of a spoilt GPU is no complaint of the page's, and there is nothing else. */
function assertOnlyOf(complaints, what) {
  assert.deepEqual(complaints.filter((complaint) => !what.test(complaint)), []);
}

test('a GPU that refuses our shaders is said, and the CPU goes on', PATIENCE, async (context) => {
  const { page, complaints, context: profile } = await start(spoilShaders);
  await assertGoesOn(page, /refused a kernel/, 'beginning', context);
  assertOnlyOf(complaints, /GPU|WGSL|Shader|Pipeline/i);
  await profile.close();
});

test('a GPU that is lost in mid-training is said, and the CPU goes on from the checkpoint', PATIENCE, async (context) => {
  const { page, complaints, context: profile } = await start(keepDevice);
  await page.getByText(/^[1-9]\d* of 30$/).waitFor();
  await press(page, 'Pause');
  await page.workers()[0].evaluate(() => globalThis.device.destroy());
  await press(page, 'Resume');
  await assertGoesOn(page, /the device failed in training/, 'checkpoint', context);
  assertOnlyOf(complaints, /lost|destroyed/i);
  await profile.close();
});
