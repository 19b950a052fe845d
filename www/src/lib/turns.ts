// One drawing a frame, whoever asks for it: several charts never hold up the same frame, and what is asked for twice
// before its turn is drawn once.

const waiting = new Set<() => void>();
let asked = false;

export function inTurn(draw: () => void): void {
  waiting.add(draw);
  ask();
}

export function outOfTurn(draw: () => void): void {
  waiting.delete(draw);
}

function ask() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const [draw] = waiting;
    if (!draw) return;
    waiting.delete(draw);
    if (waiting.size > 0) ask();
    draw();
  });
}
