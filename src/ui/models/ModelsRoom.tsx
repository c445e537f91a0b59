/** Owns the Models room's place on the page; what is in it comes after the first load. */
import { later } from '../controls/later.tsx';
import { Room } from '../controls/Room.tsx';
import styles from './ModelsRoom.module.css';

const Models = later(async () => (await import('./Models.tsx')).Models, styles.waiting);

export function ModelsRoom() {
  return (
    <Room
      id="models"
      title="Models"
      lede="What you have trained stays in this browser. Take a model away as a file, or bring one back."
    >
      <Models />
    </Room>
  );
}
