/**
 * The constants of Fashion-MNIST that every part of Atelier shares. Imports nothing.
 *
 * Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
 * Learning Algorithms", 2017 (MIT licence, Zalando SE).
 */

/** Width and height of a picture, in pixels. */
export const SIDE = 28;
/** Pixels of a picture, row by row: 784. */
export const PIXELS = SIDE * SIDE;

/** Class names in label order: `CLASS_NAMES[label]`. */
export const CLASS_NAMES = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
] as const;

export const NUM_CLASSES = CLASS_NAMES.length;

/** Where the page finds its CSV files, relative to the page's own address. */
export const CSV_FILES = {
  full: {
    train: 'data/fashion-mnist_train.csv.gz',
    test: 'data/fashion-mnist_test.csv.gz',
  },
  sample: {
    train: 'data/sample_train.csv.gz',
    test: 'data/sample_test.csv.gz',
  },
} as const;
