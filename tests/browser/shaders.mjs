// The shaders that a worker's WebGPU is given: gathered for checking, or spoiled, to see what becomes of a refused one.

const given = [];

/** Gathers the source of every shader from here on, with what the browser says of it. */
export function gatherShaders() {
  const { createShaderModule } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    const module = createShaderModule.call(this, descriptor);
    given.push({ code: descriptor.code, info: module.getCompilationInfo() });
    return module;
  };
}

/** The shaders gathered so far, each once, with the browser's messages. */
export async function gathered() {
  const shaders = new Map();
  for (const { code, info } of given) {
    const { messages } = await info;
    shaders.set(code, messages.map(({ type, message }) => `${type}: ${message}`));
  }
  return [...shaders].map(([code, messages]) => ({ code, messages }));
}

/** Makes every shader from here on one that no browser takes. */
export function spoilShaders() {
  const { createShaderModule } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    return createShaderModule.call(this, { ...descriptor, code: `${descriptor.code}\nfn spoiled( {` });
  };
}
