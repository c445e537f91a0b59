import { openWebGLBrowser } from './webglPage.ts';
const browser = await openWebGLBrowser('software');
const page = await browser.open();
await page.call('start', {});
const base = { weightDecay: 0, maxGradientNorm: null, averageDecay: null } as const;
const adam = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-3 } as const;
for (const o of [
  { ...base, rule: adam },
  { ...base, rule: adam, weightDecay: 0.05, maxGradientNorm: 0.3, averageDecay: 0.9 },
  { ...base, rule: { kind: 'sgd', momentum: 0.9, isNesterov: false }, weightDecay: 0.05 },
  { ...base, rule: { kind: 'sgd', momentum: 0.9, isNesterov: true }, maxGradientNorm: 0.2, averageDecay: 0.99 },
] as const) console.log(JSON.stringify(o), await page.call('checkOptimizer', o, 4).catch((e) => String(e).slice(0, 600)));
console.log('check ms', await page.call('checkMs'));
console.log(await page.call('lossesByWay', 'tiny', 8));
console.log(await page.call('trainLong', 'graph', 6, 60));
console.log(await page.call('trainLong', 'graph', 6, 20, ['batchNorm', 'add', 'dropout']));
await browser.close();
