// Pause, resume, step and stop, between two turns of a run.

export class Control {
  #paused = false;
  #stopped = false;
  #steps = 0;
  #wake: (() => void) | null = null;

  handle(command: 'pause' | 'resume' | 'step' | 'stop'): void {
    if (command === 'pause') this.#paused = true;
    if (command === 'resume') this.#paused = false;
    if (command === 'step') {
      this.#paused = true;
      this.#steps += 1;
    }
    if (command === 'stop') this.#stopped = true;
    this.#wake?.();
  }

  /** For the next job: nothing of the last one's commands is left. */
  reset(): void {
    this.#paused = false;
    this.#stopped = false;
    this.#steps = 0;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Lets messages in, waits while paused, and says whether there is a next turn and whether it is a single step. */
  async turn(): Promise<{ go: boolean; single: boolean }> {
    await new Promise((resolve) => setTimeout(resolve));
    while (this.#paused && this.#steps === 0 && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    const single = this.#steps > 0;
    if (single) this.#steps -= 1;
    return { go: !this.#stopped, single };
  }
}
