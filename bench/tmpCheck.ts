import { openWebGLBrowser } from './webglPage.ts';
const browser = await openWebGLBrowser('software');
const page = await browser.open();
console.log(await page.call('start', {}));
const args = process.argv.slice(2);
for (const a of args) {
  const t = performance.now();
  const [w, opt] = a.split(':');
  const which: any = /^\d+$/.test(w!) ? Number(w) : w;
  try {
    const r = await page.call('checkStep', which, { batchSize: 6, ...(opt ? JSON.parse(opt.replaceAll(';', ',').replaceAll('=', ':')) : {}) });
    console.log(a, r.error.toExponential(2), r.at, r.note ?? '', r.numWeights, Math.round(performance.now() - t), 'ms');
  } catch (e) { console.log(a, String(e).slice(0, 1500)); }
}
await browser.close();
