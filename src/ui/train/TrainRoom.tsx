/** Owns the Train room: what to train, how, the run itself, and earlier runs to compare it with. */
import { later } from '../controls/later.tsx';
import { Room } from '../controls/Room.tsx';
import { useSession } from '../useSession.ts';
import { NetworkChoice } from './NetworkChoice.tsx';
import { RecipeForm } from './RecipeForm.tsx';
import { RunPanel } from './RunPanel.tsx';

const RunsTable = later(async () => (await import('../evaluate/RunsTable.tsx')).RunsTable);

export function TrainRoom() {
  const hasRuns = useSession((state) => state.runs.length > 0);
  return (
    <Room
      id="train"
      title="Train"
      lede="Pick a network and a recipe, or leave both as they are: they work well as they stand."
    >
      <NetworkChoice />
      <RecipeForm />
      <RunPanel />
      {hasRuns && <RunsTable />}
    </Room>
  );
}
