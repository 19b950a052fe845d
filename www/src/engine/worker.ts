// The dedicated worker that owns the package. Loading is streamed: the module compiles while it comes.

import type * as Tilepress from 'tilepress';

import { Control } from './control';
import { JOBS, recall } from './jobs';
import { type FromWorker, failureOf, type JobName, type Jobs, type ToWorker } from './protocol';
import { type Reports, Session } from './session';

const control = new Control();
let session: Session | null = null;

const say = (message: FromWorker) => postMessage(message);

const reportsOf = (id: number): Reports => ({
  progress: (progress) => say({ type: 'progress', id, progress }),
  metrics: (metrics) => say({ type: 'metrics', id, metrics }),
  samples: (samples) => say({ type: 'samples', id, samples }),
  checkpoint: (parts) => say({ type: 'checkpoint', id, parts }),
  remember: (scores, load) => say({ type: 'remember', scores, load }),
});

/** The answer's body, counted as it comes in. */
async function* counted(body: ReadableStream<Uint8Array<ArrayBuffer>>, total: number) {
  const reader = body.getReader();
  for (let done = 0; ; ) {
    const { value, done: ended } = await reader.read();
    if (ended) return;
    done += value.length;
    say({ type: 'progress', id: 0, progress: { label: 'Loading the engine', done: Math.min(done, total), total } });
    yield value;
  }
}

async function compile(address: string): Promise<WebAssembly.Module> {
  const answer = await fetch(address);
  if (!answer.ok || !answer.body) throw new Error(`the engine could not be loaded: ${answer.status} for ${address}`);
  const total = Number(answer.headers.get('Content-Length') ?? 0);
  const chunks = counted(answer.body, total);
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { value, done } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  return WebAssembly.compileStreaming(new Response(stream, { headers: { 'Content-Type': 'application/wasm' } }));
}

async function open(message: Extract<ToWorker, { type: 'open' }>): Promise<void> {
  const { base, device, memory, failAfter } = message;
  const api = (await import(/* @vite-ignore */ `${base}pkg/tilepress.js`)) as typeof Tilepress;
  const module = message.module ?? (await compile(`${base}pkg/tilepress_bg.wasm`));
  await api.default({ module_or_path: module as unknown as BufferSource });
  const info = await api.openDevice(device);
  session = new Session(api, info.device, control, base, failAfter);
  if (memory) await recall(session, memory, reportsOf(0));
  say({ type: 'ready', device: info, version: api.version(), methods: api.methods(), module });
}

async function run<N extends JobName>(id: number, job: N, options: Jobs[N]['takes']): Promise<unknown> {
  if (!session) throw new Error('the engine is not open yet');
  return JOBS[job](session, options, reportsOf(id));
}

// One job at a time, in the order they were asked for; pause, step and stop overtake them.
let last: Promise<void> = Promise.resolve();

globalThis.onmessage = ({ data: message }: MessageEvent<ToWorker>) => {
  if (message.type === 'open') {
    last = open(message).catch((error: unknown) => say({ type: 'error', id: 0, failure: failureOf(error) }));
  } else if (message.type === 'start') {
    const { id, job, options } = message;
    last = last.then(async () => {
      control.reset();
      try {
        say({ type: 'done', id, result: await run(id, job, options) });
      } catch (error) {
        say({ type: 'error', id, failure: failureOf(error) });
      }
    });
  } else {
    control.handle(message.type);
  }
};
