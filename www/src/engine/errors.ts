// What a job can fail with, and who can mend it: the code crosses to the page, the class does not.

/** Thrown when a job was stopped before it had anything to show. */
export class Stopped extends Error {
  readonly code = 'usage';
}

export class DataError extends Error {
  readonly code = 'data';
}

export class LostDevice extends Error {
  readonly code = 'device';
}
