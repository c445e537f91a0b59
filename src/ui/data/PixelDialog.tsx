/** Owns the close look at one picture: large, and as the 784 numbers it is made of. */
import { ChevronLeft, ChevronRight } from 'lucide-react';
import type { GarmentPage } from '../../data/dataset.ts';
import { PIXELS, SIDE } from '../../fashion.ts';
import { Button } from '../controls/Button.tsx';
import { Dialog } from '../controls/Dialog.tsx';
import { formatCount, formatPercent } from '../controls/figures.ts';
import { Garment } from '../controls/Garment.tsx';
import styles from './PixelDialog.module.css';

export interface PixelDialogProps {
  readonly page: GarmentPage;
  /** Which picture of the page; null: closed. */
  readonly at: number | null;
  readonly file: string;
  readonly onMove: (at: number) => void;
  readonly onClose: () => void;
}

/** On a darker ground white digits, on a lighter one black: at least 4.5:1 on every grey. */
const DARKEST_GROUND_OF_BLACK_INK = 118;

const SIDES = Array.from({ length: SIDE }, (_, at) => at);

export function PixelDialog({ page, at, file, onMove, onClose }: PixelDialogProps) {
  const shown = at !== null && at < page.labels.length ? at : null;
  const label = shown === null ? 0 : (page.labels[shown] ?? 0);
  const name = page.spec.classNames[label] ?? '';
  return (
    <Dialog open={shown !== null} title={name} onClose={onClose}>
      {shown !== null && (
        <Picture
          pixels={page.pixels.subarray(shown * PIXELS, (shown + 1) * PIXELS)}
          name={name}
          label={label}
          place={`Picture ${formatCount((page.rows[shown] ?? 0) + 1)} of ${file}`}
        >
          <div className={styles.turn}>
            <Button
              size="small"
              icon={ChevronLeft}
              disabled={shown === 0}
              onClick={() => onMove(shown - 1)}
            >
              Previous
            </Button>
            <Button
              size="small"
              disabled={shown === page.labels.length - 1}
              onClick={() => onMove(shown + 1)}
            >
              Next
              <ChevronRight aria-hidden size={15} />
            </Button>
          </div>
        </Picture>
      )}
    </Dialog>
  );
}

interface PictureProps {
  readonly pixels: Uint8Array;
  readonly name: string;
  readonly label: number;
  readonly place: string;
  readonly children: React.ReactNode;
}

function Picture({ pixels, name, label, place, children }: PictureProps) {
  const numBlack = pixels.reduce((count, value) => count + (value === 0 ? 1 : 0), 0);
  const brightest = pixels.reduce((most, value) => Math.max(most, value), 0);
  const mean = pixels.reduce((sum, value) => sum + value, 0) / PIXELS;
  return (
    <div className={styles.picture}>
      <div className={styles.side}>
        <Garment pixels={pixels} size={140} label={`${name}, enlarged`} />
        <dl className={styles.facts}>
          <div>
            <dt>Label</dt>
            <dd>{label}</dd>
          </div>
          <div>
            <dt>Mean</dt>
            <dd>{mean.toFixed(1)}</dd>
          </div>
          <div>
            <dt>Brightest</dt>
            <dd>{brightest}</dd>
          </div>
          <div>
            <dt>Black</dt>
            <dd>{formatPercent(numBlack / PIXELS, 0)}</dd>
          </div>
        </dl>
        <p className={styles.place}>{place}</p>
        {children}
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a named region that scrolls, not a section. */}
      <div
        className={styles.scroll}
        role="region"
        aria-label="Pixel values, 0 black to 255 white"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
      >
        <table className={styles.numbers}>
          <thead>
            <tr>
              <td />
              {SIDES.map((column) => (
                <th key={column} scope="col">
                  {column + 1}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {SIDES.map((row) => (
              <tr key={row}>
                <th scope="row">{row + 1}</th>
                {SIDES.map((column) => {
                  const value = pixels[row * SIDE + column] ?? 0;
                  return (
                    <td
                      key={column}
                      style={{
                        background: `rgb(${value} ${value} ${value})`,
                        color: value < DARKEST_GROUND_OF_BLACK_INK ? '#fff' : '#000',
                      }}
                    >
                      {value}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
