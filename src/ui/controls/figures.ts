/** Owns how numbers are written on the page: British English, the same everywhere. Pure. */

const COUNT = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });

/** 60000 → "60,000". */
export function formatCount(value: number): string {
  return COUNT.format(value);
}

/** 0.9123 → "91.2 %"; with two digits "91.23 %". */
export function formatPercent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** 830 → "0.8 s", 75000 → "1 min 15 s", 3.7 million → "1 h 2 min". Milliseconds in. */
export function formatDuration(elapsedMs: number): string {
  if (elapsedMs < 10_000) return `${(elapsedMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(elapsedMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 34_600_000 → "34.6 MB". Decimal units, as browsers count downloads. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(0)} KB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
