/** Owns the Train room: what to train, how, the run itself, and earlier runs to compare it with. */
import { Room } from '../controls/Room.tsx';
import { RunsTable } from '../evaluate/RunsTable.tsx';
import { NetworkChoice } from './NetworkChoice.tsx';
import { RecipeForm } from './RecipeForm.tsx';
import { RunPanel } from './RunPanel.tsx';

export function TrainRoom() {
  return (
    <Room
      id="train"
      title="Train"
      lede="Pick a network and a recipe, or leave both as they are: they work well as they stand."
    >
      <NetworkChoice />
      <RecipeForm />
      <RunPanel />
      <RunsTable />
    </Room>
  );
}
