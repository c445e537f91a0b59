/**
 * Owns the silhouettes one can trace: SVG paths on a field of 28 × 28, as large as the data has them,
 * shoes pointing left as theirs do; one for each class, in the order of the labels.
 */

export interface Stencil {
  readonly name: string;
  /** The outline, closed; what is cut out of it runs the other way round. */
  readonly path: string;
  /** Seams and openings that tell it from its likes, as open lines. */
  readonly lines?: string;
}

export const STENCILS: readonly Stencil[] = [
  {
    name: 'T-shirt',
    path: 'M9.5 2.5C11.5 5 16.5 5 18.5 2.5L22 4 27.5 10 23.6 13.6 21 11.4V26H7V11.4L4.4 13.6.5 10 6 4Z',
  },
  {
    name: 'Trouser',
    path: 'M8.6.5H19.4L21.4 27.5H16.2L14 8.5 11.8 27.5H6.6Z',
  },
  {
    name: 'Pullover',
    path: 'M10 1.5C12 3.4 16 3.4 18 1.5L22 3.6 24.4 9 27.4 24 23.6 25 20.8 13V26.5H7.2V13L4.4 25 .6 24 3.6 9 6 3.6Z',
  },
  {
    name: 'Dress',
    path: 'M9.6.5H11.2C11.6 4.4 16.4 4.4 16.8.5H18.4L19 8 17.6 11.5 22.4 27.5H5.6L10.4 11.5 9 8Z',
  },
  {
    name: 'Coat',
    path: 'M10.6.8 14 3.4 17.4.8 21.4 2.6 23.8 8 26.2 21.4 22.8 22.4 20.4 12 21.4 27.4H6.6L7.6 12 5.2 22.4 1.8 21.4 4.2 8 6.6 2.6Z',
    lines: 'M10.6.8 11.2 6.2 14 9.6V27.4M17.4.8 16.8 6.2 14 9.6',
  },
  {
    name: 'Sandal',
    path: 'M.6 21.6C.6 20 2 19.4 5 19.2 12 18.8 16.5 16.4 20 12.6 22 10.4 24 9.2 26.8 9.2V21.6H24.8L24 14C20 19 15.6 21.4 11 21.6ZM3 20.4C4 16 6.6 13.8 9 13.2 10.6 14.4 11.4 16.4 11.6 20.4ZM24.6 9.8 24.2 6 16.2 7.6C15.6 7 15.4 6.4 15.6 5.4L25.6 3.2C26.4 5 26.8 7 26.8 9.8Z',
  },
  {
    name: 'Shirt',
    path: 'M10.8 1 14 3.2 17.2 1 21.8 3.2 24.2 8.6 26.6 22.4 23 23.4 20.6 12.4V26.4C17 27.6 11 27.6 7.4 26.4V12.4L5 23.4 1.4 22.4 3.8 8.6 6.2 3.2Z',
    lines: 'M10.8 1 10.4 5.4 14 3.2 17.6 5.4 17.2 1M14 3.2V27.2',
  },
  {
    name: 'Sneaker',
    path: 'M26.6 9C24 11.2 21 11.4 18.6 9.6 16.4 13.6 12.4 15.6 6 16.6 2 17.2.6 18.6.6 20.6V22H27.2V18Z',
    lines: 'M.6 20.2H27.2M13 13.4 14.6 15.6M15.2 12 16.8 14.2',
  },
  {
    name: 'Bag',
    path: 'M3.4 11.5H8C8-.5 20-.5 20 11.5H24.6L27 25.5H1ZM10 11.5H18C18 2.4 10 2.4 10 11.5Z',
  },
  {
    name: 'Ankle boot',
    path: 'M21.4 1.5H10.6V14.5C8 17.6 2.4 18 2.2 23V26H12.4L14.6 24.4H16.6V26H22.4V16Z',
  },
];
