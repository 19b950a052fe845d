// Milliseconds of each training step of a ConvNet or ConvNet-D: views, forward, backward, AdamW.

onmessage = async ({ data: { folder, device, model = 'convnet', width, imageSize, batch, steps, warmUp } }) => {
  try {
    const { default: init, StepProfile } = await import(`${folder}/tilepress.js`);
    await init();
    const student = await StepProfile.open({ device, model, width, image_size: imageSize, batch });
    const times = [];
    for (let step = 0; step < warmUp + steps; step++) {
      const start = performance.now();
      await student.step();
      if (step >= warmUp) times.push(performance.now() - start);
    }
    postMessage({ times });
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
