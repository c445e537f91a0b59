/**
 * The size of the images that every part of Atelier shares, and the data that it comes with. Imports
 * nothing.
 *
 * Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
 * Learning Algorithms", 2017 (MIT licence, Zalando SE).
 */

/** Width and height of an image, in pixels. */
export const SIDE = 28;
/** Pixels of an image, row by row: 784. */
export const PIXELS = SIDE * SIDE;

/** The data that Atelier uses where nobody brings other; a `DataSpec`. */
export const FASHION_MNIST = {
  id: 'fashion-mnist',
  title: 'Fashion-MNIST',
  classNames: [
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
  ],
  files: {
    full: {
      train: 'data/fashion-mnist_train.csv.gz',
      test: 'data/fashion-mnist_test.csv.gz',
    },
    sample: {
      train: 'data/sample_train.csv.gz',
      test: 'data/sample_test.csv.gz',
    },
  },
} as const;
