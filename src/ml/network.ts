/**
 * Owns the architectures: each network as a list of layers, and what follows from the list — output
 * shapes, parameters, multiply-adds. Pure; `build.ts` makes the tf.layers model.
 */

export type LayerSpec =
  | {
      readonly kind: 'conv';
      readonly filters: number;
      readonly kernel: number;
      readonly padding: 'same' | 'valid';
      readonly activation: 'relu' | 'linear';
    }
  | { readonly kind: 'batchNorm' }
  | { readonly kind: 'relu' }
  | { readonly kind: 'maxPool' }
  | { readonly kind: 'globalAveragePool' }
  | { readonly kind: 'flatten' }
  | { readonly kind: 'dropout' }
  | { readonly kind: 'dense'; readonly units: number; readonly activation: 'relu' | 'linear' };

export type NetworkName = 'small' | 'classic' | 'deep';
