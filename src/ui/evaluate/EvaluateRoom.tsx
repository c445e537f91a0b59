/** Owns the Evaluate room's place on the page; what it says comes after the first load. */
import { later } from '../controls/later.tsx';
import { Room } from '../controls/Room.tsx';
import styles from './EvaluateRoom.module.css';

const Findings = later(async () => (await import('./Findings.tsx')).Findings, styles.waiting);

export function EvaluateRoom() {
  return (
    <Room
      id="evaluate"
      title="Evaluate"
      lede="How the live model does on pictures that took no part in training, and what it mistakes for what."
    >
      <Findings />
    </Room>
  );
}
