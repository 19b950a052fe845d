// How fast a run goes, and how many of its steps fit into a turn.

/** A turn of training takes about this many milliseconds, so that pause and stop are felt at once. */
const TURN = 200;

export class Pace {
  #perStep = 0;
  readonly #images: number;

  constructor(imagesOfStep: number) {
    this.#images = imagesOfStep;
  }

  took(milliseconds: number, steps: number): void {
    if (steps <= 0) return;
    const now = milliseconds / steps;
    this.#perStep = this.#perStep === 0 ? now : 0.7 * this.#perStep + 0.3 * now;
  }

  steps(): number {
    return this.#perStep === 0 ? 1 : Math.min(16, Math.max(1, Math.round(TURN / this.#perStep)));
  }

  get imagesPerSecond(): number {
    return this.#perStep === 0 ? 0 : (1000 * this.#images) / this.#perStep;
  }

  eta(steps: number): number {
    return steps * this.#perStep;
  }
}
