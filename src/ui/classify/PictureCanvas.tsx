/** Shows an image of any size. */
import { useLayoutEffect, useRef } from 'react';
import type { Picture, PictureSettings } from '../../image/picture.ts';
import { turnPicture } from '../../image/turn.ts';

export interface PictureCanvasProps {
  readonly picture: Picture | ImageBitmap;
  /** Clockwise. */
  readonly quarterTurns?: PictureSettings['quarterTurns'];
  /** What a screen reader says. Empty where the text beside it says it already. */
  readonly label: string;
  readonly className?: string | undefined;
}

export function PictureCanvas({ picture, quarterTurns = 0, label, className }: PictureCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height } = turnedSize(picture, quarterTurns);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    if ('data' in picture) {
      const turned = turnPicture(picture, quarterTurns);
      const image = context.createImageData(turned.width, turned.height);
      image.data.set(turned.data);
      context.putImageData(image, 0, 0);
      return;
    }
    context.clearRect(0, 0, width, height);
    context.translate(width / 2, height / 2);
    context.rotate((quarterTurns * Math.PI) / 2);
    context.drawImage(picture, -picture.width / 2, -picture.height / 2);
    context.resetTransform();
  }, [picture, quarterTurns, width, height]);
  return (
    <canvas
      ref={canvas}
      className={className}
      width={width}
      height={height}
      // Few pixels are shown as pixels, many as an image.
      style={width <= 64 ? { imageRendering: 'pixelated' } : undefined}
      {...(label === '' ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label })}
    />
  );
}

/** Width and height after quarter turns. */
export function turnedSize(
  { width, height }: { readonly width: number; readonly height: number },
  quarterTurns: PictureSettings['quarterTurns'],
): { readonly width: number; readonly height: number } {
  return quarterTurns % 2 === 0 ? { width, height } : { width: height, height: width };
}
