// What the link that the page was opened with hides, until all is shown.

import { type Control, hiddenIn } from './hide';

class Hidden {
  controls: Control[] = $state.raw(hiddenIn(location.hash));

  shows(control: Control): boolean {
    return !this.controls.includes(control);
  }

  showAll(): void {
    this.controls = [];
  }
}

export const hidden = new Hidden();
