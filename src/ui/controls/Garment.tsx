/** Owns how one 28×28 picture is shown. */
import { useLayoutEffect, useRef } from 'react';
import { PIXELS, SIDE } from '../../fashion.ts';
import styles from './Garment.module.css';

export interface GarmentProps {
  /** `[784]` bytes, row by row, 0 black to 255 white. */
  readonly pixels: Uint8Array;
  /** Width and height on the page, in CSS pixels; 'fill' takes the width of what is around it. */
  readonly size?: number | 'fill';
  /** What a screen reader says, e.g. "Trouser". Empty where the text beside it says it already. */
  readonly label: string;
}

export function Garment({ pixels, size = 56, label }: GarmentProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const picture = context.createImageData(SIDE, SIDE);
    for (let i = 0; i < PIXELS; i++) {
      const grey = pixels[i] ?? 0;
      picture.data.set([grey, grey, grey, 255], i * 4);
    }
    context.putImageData(picture, 0, 0);
  }, [pixels]);
  return (
    <canvas
      ref={canvas}
      className={styles.garment}
      width={SIDE}
      height={SIDE}
      style={size === 'fill' ? { width: '100%' } : { width: size, height: size }}
      {...(label === '' ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label })}
    />
  );
}
