/** What went wrong, in a form that crosses between threads and that the page shows. */
export interface Fault {
  /** The error's class, e.g. "DatasetError". */
  readonly name: string;
  /** For people: what happened, where, and what to do. */
  readonly message: string;
}

export function toFault(error: unknown): Fault {
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: 'Error', message: String(error) };
}
