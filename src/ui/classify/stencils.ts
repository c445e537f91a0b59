/**
 * Owns the outlines one can start a drawing from: SVG paths on a field of 28 × 28, as large as the
 * data has them, shoes pointing left as theirs do.
 */

export interface Stencil {
  readonly name: string;
  readonly path: string;
}

export const STENCILS: readonly Stencil[] = [
  {
    name: 'T-shirt',
    path: 'M9.5 2.5C11.5 5 16.5 5 18.5 2.5L22 4 27.5 10 23.6 13.6 21 11.4V26H7V11.4L4.4 13.6.5 10 6 4Z',
  },
  {
    name: 'Pullover',
    path: 'M10 1.5C12 3.4 16 3.4 18 1.5L22 3.6 24.4 9 27.4 24 23.6 25 20.8 13V26.5H7.2V13L4.4 25 .6 24 3.6 9 6 3.6Z',
  },
  {
    name: 'Trouser',
    path: 'M8.6.5H19.4L21.4 27.5H16.2L14 8.5 11.8 27.5H6.6Z',
  },
  {
    name: 'Dress',
    path: 'M9.6.5H11.2C11.6 4.4 16.4 4.4 16.8.5H18.4L19 8 17.6 11.5 22.4 27.5H5.6L10.4 11.5 9 8Z',
  },
  {
    name: 'Bag',
    path: 'M3.4 11.5H8C8-.5 20-.5 20 11.5H24.6L27 25.5H1ZM10 11.5H18C18 2.4 10 2.4 10 11.5Z',
  },
  {
    name: 'Sneaker',
    path: 'M26.6 9C24 11.2 21 11.4 18.6 9.6 16.4 13.6 12.4 15.6 6 16.6 2 17.2.6 18.6.6 20.6V22H27.2V18Z',
  },
  {
    name: 'Ankle boot',
    path: 'M21.4 1.5H10.6V14.5C8 17.6 2.4 18 2.2 23V26H12.4L14.6 24.4H16.6V26H22.4V16Z',
  },
];
