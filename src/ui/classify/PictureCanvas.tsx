/** Owns how a picture of any size is shown. */
import { useLayoutEffect, useRef } from 'react';
import type { Picture } from '../../image/picture.ts';

export interface PictureCanvasProps {
  readonly picture: Picture;
  /** What a screen reader says. Empty where the text beside it says it already. */
  readonly label: string;
  readonly className?: string | undefined;
}

export function PictureCanvas({ picture, label, className }: PictureCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const image = context.createImageData(picture.width, picture.height);
    image.data.set(picture.data);
    context.putImageData(image, 0, 0);
  }, [picture]);
  return (
    <canvas
      ref={canvas}
      className={className}
      width={picture.width}
      height={picture.height}
      // Few pixels are shown as pixels, many as a picture.
      style={picture.width <= 64 ? { imageRendering: 'pixelated' } : undefined}
      {...(label === '' ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label })}
    />
  );
}
