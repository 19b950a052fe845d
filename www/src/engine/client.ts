// The page's side of the worker: jobs as promises, and a second worker on the CPU when the first loses its device.

import type { DeviceInfo, DeviceName, MethodInfo } from 'tilepress';

import {
  EngineError,
  type FromWorker,
  type JobName,
  type Jobs,
  type Memory,
  type Metrics,
  type Progress,
  type Samples,
  type ToWorker,
} from './protocol';

/** What of a `Worker` is used. */
export interface Line {
  postMessage(message: ToWorker): void;
  terminate(): void;
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
}

export interface Listeners {
  progress?(progress: Progress): void;
  metrics?(metrics: Metrics): void;
  samples?(samples: Samples): void;
  /** The run as bytes, from time to time. */
  checkpoint?(parts: Uint8Array[]): void;
}

export interface Events {
  /** The device, the version of the package, and its list of methods. */
  ready(device: DeviceInfo, version: string, methods: MethodInfo[]): void;
  /** Loading, and recalling after a restart. */
  progress(progress: Progress): void;
  /** The device failed with this message; a worker on the CPU goes on. */
  restarted(reason: string): void;
  failed(error: EngineError): void;
}

interface Job {
  name: JobName;
  options: Jobs[JobName]['takes'];
  listeners: Listeners;
  checkpoint: Uint8Array[] | null;
  resolve(result: unknown): void;
  reject(error: EngineError): void;
}

export class Engine {
  readonly #make: () => Line;
  readonly #base: string;
  readonly #events: Events;
  #line: Line;
  #module: WebAssembly.Module | undefined;
  #memory: Memory | undefined;
  #jobs = new Map<number, Job>();
  #next = 1;
  #restarted = false;

  constructor(make: () => Line, base: string, events: Events, device: DeviceName = 'auto', failAfter?: number) {
    this.#make = make;
    this.#base = base;
    this.#events = events;
    this.#line = this.#open(device, failAfter);
  }

  #open(device: DeviceName, failAfter?: number): Line {
    const line = this.#make();
    line.onmessage = ({ data }) => {
      if (line === this.#line) this.#hear(data);
    };
    line.onerror = (event) => {
      if (line === this.#line) {
        this.#events.failed(new EngineError({ code: 'run', message: event.message || 'The engine could not be started.' }));
      }
    };
    line.postMessage({ type: 'open', device, base: this.#base, module: this.#module, memory: this.#memory, failAfter });
    return line;
  }

  start<N extends JobName>(name: N, options: Jobs[N]['takes'], listeners: Listeners = {}): Promise<Jobs[N]['gives']> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const job: Job = { name, options, listeners, checkpoint: null, resolve: resolve as Job['resolve'], reject };
      this.#jobs.set(id, job);
      this.#send(id, job);
    });
  }

  /** What another worker would be told. */
  get memory(): Memory | undefined {
    return this.#memory;
  }

  pause(): void {
    this.#line.postMessage({ type: 'pause' });
  }

  resume(): void {
    this.#line.postMessage({ type: 'resume' });
  }

  step(): void {
    this.#line.postMessage({ type: 'step' });
  }

  stop(): void {
    this.#line.postMessage({ type: 'stop' });
  }

  #send(id: number, { name, options, checkpoint }: Job): void {
    const resumed =
      checkpoint === null
        ? options
        : { ...options, ...(name === 'score' ? { checkpoint: checkpoint[0] } : { checkpoints: checkpoint }) };
    this.#line.postMessage({ type: 'start', id, job: name, options: resumed } as ToWorker);
  }

  #hear(message: FromWorker): void {
    if (message.type === 'ready') {
      this.#module = message.module;
      this.#events.ready(message.device, message.version, message.methods);
      return;
    }
    if (message.type === 'remember') {
      if (this.#memory) Object.assign(this.#memory, { scores: message.scores, load: message.load });
      return;
    }
    const job = this.#jobs.get(message.id);
    if (!job) {
      if (message.type === 'progress') this.#events.progress(message.progress);
      if (message.type === 'error') this.#events.failed(new EngineError(message.failure));
      return;
    }
    if (message.type === 'progress') job.listeners.progress?.(message.progress);
    if (message.type === 'metrics') job.listeners.metrics?.(message.metrics);
    if (message.type === 'samples') job.listeners.samples?.(message.samples);
    if (message.type === 'checkpoint') {
      job.checkpoint = message.parts;
      job.listeners.checkpoint?.(message.parts);
    }
    if (message.type === 'done') {
      this.#jobs.delete(message.id);
      if (job.name === 'read' || job.name === 'recall') this.#memory = { ...(job.options as Memory) };
      job.resolve(message.result);
    }
    if (message.type === 'error') {
      if (message.failure.code === 'device' && !this.#restarted) {
        this.#restart(message.failure.message);
      } else {
        this.#jobs.delete(message.id);
        job.reject(new EngineError(message.failure));
      }
    }
  }

  /** A module that has panicked is of no more use, and neither is a device that is lost. */
  #restart(reason: string): void {
    this.#restarted = true;
    this.#line.terminate();
    this.#line = this.#open('flex');
    this.#events.restarted(reason);
    for (const [id, job] of this.#jobs) this.#send(id, job);
  }
}

/** The worker that Vite bundles. */
export const makeWorker = (): Line => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }) as Line;
