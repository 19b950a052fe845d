// Loads the package in a dedicated worker, where an application would have it.

import init, { selfCheck, version } from '/pkg/web/tilepress.js';

onmessage = async ({ data: device }) => {
  try {
    await init();
    postMessage({ version: version(), result: await selfCheck(device) });
  } catch (error) {
    // Copying an Error to another thread drops its code, so it travels in parts.
    postMessage({
      error: { isError: error instanceof Error, name: error.name, code: error.code, message: error.message },
    });
  }
};
