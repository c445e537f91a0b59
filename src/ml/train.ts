/**
 * Owns the training loop.
 */
import type { EpochRecord } from './modelCard.ts';

/** What a training run tells. The caller decides what to show. Losses in nats, accuracies 0–1. */
export type TrainEvent =
  | {
      /** Shaders, splits and buffers are being made; the first batch has not run yet. */
      readonly kind: 'preparing';
      readonly numTrain: number;
      readonly numValidation: number;
      readonly stepsPerEpoch: number;
      readonly epochs: number;
    }
  | {
      readonly kind: 'step';
      /** 1-based. */
      readonly epoch: number;
      /** Steps done since the start of the run. */
      readonly step: number;
      /** Smoothed (exponential moving average) training loss and accuracy. */
      readonly loss: number;
      readonly accuracy: number;
      readonly learningRate: number;
      /** Over the last second or so, pauses left out. */
      readonly imagesPerSecond: number;
      /** Training time, pauses left out. */
      readonly elapsedMs: number;
    }
  | { readonly kind: 'epoch'; readonly record: EpochRecord; readonly isBest: boolean }
  | {
      readonly kind: 'finished';
      readonly reason: 'completed' | 'earlyStopped' | 'stopped';
      /** Epoch whose weights the model now has; 0 where stopped before the first epoch's end. */
      readonly epoch: number;
    };
