// Which controls a link hides, so that a class sees what the lesson is about. In the address it is `hide=`, with names of
// controls or of stages, for all controls of that stage.

export const CONTROLS = [
  { key: 'size', stage: 'Pick', name: 'Side of the images' },
  { key: 'cap', stage: 'Pick', name: 'Most images of a class' },
  { key: 'val', stage: 'Pick', name: 'Share held out' },
  { key: 'epochs', stage: 'Pick', name: 'Epochs of the proxy' },
  { key: 'width', stage: 'Pick', name: 'Channels of the network' },
  { key: 'ipc', stage: 'Prune', name: 'Stored images per class' },
  { key: 'rule', stage: 'Prune', name: 'Which ones are kept' },
  { key: 'window', stage: 'Prune', name: 'Start of the window' },
  { key: 'grid', stage: 'Combine', name: 'Tiles of a stored image' },
  { key: 'r', stage: 'Augment', name: 'Smallest crop' },
  { key: 'steps', stage: 'Compare', name: 'Steps of every student' },
  { key: 'seeds', stage: 'Compare', name: 'Seeds' },
] as const;

export type Control = (typeof CONTROLS)[number]['key'];

/** The controls that a hash hides; a name that is none is passed over. */
export function hiddenIn(hash: string): Control[] {
  const given = new URLSearchParams(hash.replace(/^#/, '')).get('hide') ?? '';
  const names = new Set(given.split(',').map((name) => name.trim().toLowerCase()));
  return CONTROLS.filter(({ key, stage }) => names.has(key) || names.has(stage.toLowerCase())).map(({ key }) => key);
}

/** A hash of settings, with the controls that it hides. */
export function withHidden(hash: string, hidden: Iterable<Control>): string {
  const chosen = new Set(hidden);
  const names = CONTROLS.filter(({ key }) => chosen.has(key)).map(({ key }) => key);
  if (names.length === 0) return hash;
  return `${hash || '#'}${hash.length > 1 ? '&' : ''}hide=${names.join(',')}`;
}
