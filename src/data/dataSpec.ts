/** What a data set is, as a value: its classes by name, and where its files are. Holds no images. */
import * as v from 'valibot';

const MIN_CLASSES = 2;
export const MAX_CLASSES = 100;

/** The training and the test file of a data set, relative to the page's own address. */
export interface DataFiles {
  readonly train: string;
  readonly test: string;
}

/** Grey images of 28 × 28, one a line of 785 columns: the label, then the pixels. */
export interface DataSpec {
  /** Names it in records, e.g. "fashion-mnist". */
  readonly id: string;
  /** For people. */
  readonly title: string;
  /** By label, `MIN_CLASSES` to `MAX_CLASSES`; no two alike. */
  readonly classNames: readonly string[];
  /** The whole of it and a sample; null where people bring the files. */
  readonly files: { readonly full: DataFiles; readonly sample: DataFiles } | null;
}

const NameSchema = v.pipe(v.string(), v.trim(), v.nonEmpty(), v.maxLength(80));
/** Below the page: nothing may send it to another server. */
const PathSchema = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(/^(?!.*\.\.)[\w-][\w./-]*$/, 'A file lies below the page.'),
);
const DataFilesSchema = v.object({ train: PathSchema, test: PathSchema });

/** Checks a description that comes from a file or from storage. Messages are for people. */
export const DataSpecSchema = v.object({
  id: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,79}$/)),
  title: NameSchema,
  classNames: v.pipe(
    v.array(NameSchema),
    v.minLength(MIN_CLASSES, `Data has at least ${MIN_CLASSES} classes.`),
    v.maxLength(MAX_CLASSES, `Data has at most ${MAX_CLASSES} classes.`),
    v.check((names) => new Set(names).size === names.length, 'Two classes have the same name.'),
  ),
  files: v.nullable(v.object({ full: DataFilesSchema, sample: DataFilesSchema })),
}) satisfies v.GenericSchema<unknown, DataSpec>;

/** Whether labels mean the same in both. */
export function hasSameClasses(a: DataSpec, b: DataSpec): boolean {
  return (
    a.classNames.length === b.classNames.length &&
    a.classNames.every((name, label) => name === b.classNames[label])
  );
}
