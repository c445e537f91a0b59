import { expect, it } from 'vitest';
import { canRedo, canUndo, present, record, redo, startHistory, undo } from './history.ts';

it('goes back and forth', () => {
  const history = record(record(startHistory('blank'), 'line'), 'filled');
  expect(present(undo(history))).toBe('line');
  expect(present(undo(undo(history)))).toBe('blank');
  expect(present(redo(undo(history)))).toBe('filled');
});

it('stops at both ends', () => {
  const history = record(startHistory(1), 2);
  expect([canUndo(history), canRedo(history)]).toEqual([true, false]);
  expect(redo(history)).toBe(history);
  const first = undo(history);
  expect([canUndo(first), canRedo(first)]).toEqual([false, true]);
  expect(undo(first)).toBe(first);
});

it('forgets what was undone once something new is drawn', () => {
  const history = record(undo(record(startHistory('blank'), 'wrong')), 'right');
  expect(canRedo(history)).toBe(false);
  expect(present(undo(history))).toBe('blank');
});

it('keeps forty steps', () => {
  let history = startHistory(0);
  for (let i = 1; i <= 100; i++) history = record(history, i);
  for (let i = 0; i < 40; i++) history = undo(history);
  expect(present(history)).toBe(60);
  expect(canUndo(history)).toBe(false);
});
