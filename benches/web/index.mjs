// The page's part: measures both sides in turns, each in a fresh frame, as `compare.mjs` does with pages.

const form = document.querySelector('form');
const [table, status] = ['table', '[role=status]'].map((name) => document.querySelector(name));
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

async function measure(html, options) {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.src = `/benches/web/${html}`;
  document.body.append(frame);
  await new Promise((loaded) => { frame.onload = loaded; });
  try {
    if (!frame.contentWindow.measure) throw new Error(`${html} is not there, or incomplete`);
    if (html === 'tfjs.html' && !frame.contentWindow.tf) throw new Error('TensorFlow.js is missing: run `npm install` in benches/web');
    return median((await frame.contentWindow.measure(options)).times);
  } finally {
    frame.remove();
  }
}

form.onsubmit = async (event) => {
  event.preventDefault();
  const { on, rounds, ...sizes } = Object.fromEntries(new FormData(form));
  const options = Object.fromEntries(Object.entries(sizes).map(([name, value]) => [name, Number(value)]));
  const ours = { folder: '/plain', device: on === 'cpu' ? 'flex' : on, steps: 20, warmUp: 3 };
  const sides = {
    tilepress: () => measure('ours.html', { ...options, ...ours }),
    'TensorFlow.js': () => measure('tfjs.html', { ...options, backend: on, steps: on === 'cpu' ? 2 : 10, warmUp: 1 }),
  };
  const found = { tilepress: [], 'TensorFlow.js': [] };
  form.querySelector('button').disabled = true;
  table.hidden = true;
  try {
    for (let round = 1; round <= Number(rounds); round += 1) {
      for (const [side, run] of Object.entries(sides)) {
        status.textContent = `Round ${round} of ${rounds}: ${side} …`;
        found[side].push(await run());
      }
    }
    const peer = median(found['TensorFlow.js']);
    const rows = Object.entries(found).map(([side, times]) => {
      const row = document.createElement('tr');
      const cells = [side, median(times).toFixed(1), (peer / median(times)).toFixed(1)];
      row.append(...cells.map((text, at) => Object.assign(document.createElement(at ? 'td' : 'th'), { textContent: text })));
      return row;
    });
    table.tBodies[0].replaceChildren(...rows);
    table.hidden = false;
    status.textContent = 'Measured.';
  } catch (error) {
    status.textContent = `This did not work: ${error.message}`;
  } finally {
    form.querySelector('button').disabled = false;
  }
};
