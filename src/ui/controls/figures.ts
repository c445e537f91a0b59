/**
 * Owns how numbers are written on the page: British English, the same everywhere, and never parted
 * from their units at the end of a line. Pure.
 */

/** A space that does not break. */
const SPACE = '\u00a0';

const COUNT = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });

/** 60000 → "60,000". */
export function formatCount(value: number): string {
  return COUNT.format(value);
}

/** 0.9123 → "91.2 %"; with two digits "91.23 %". */
export function formatPercent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)}${SPACE}%`;
}

/** 830 → "0.8 s", 75_000 → "1 min 15 s", 3_720_000 → "1 h 2 min". Milliseconds in. */
export function formatDuration(elapsedMs: number): string {
  const parts = (...figures: readonly string[]) => figures.join(SPACE);
  const seconds = Math.round(elapsedMs / 1000);
  if (seconds < 10) return parts((elapsedMs / 1000).toFixed(1), 's');
  if (seconds < 60) return parts(`${seconds}`, 's');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return parts(`${minutes}`, 'min', `${seconds % 60}`, 's');
  return parts(`${Math.floor(minutes / 60)}`, 'h', `${minutes % 60}`, 'min');
}

/** 34_600_000 → "34.6 MB". Decimal units, as browsers count downloads. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes}${SPACE}B`;
  if (bytes < 999_500) return `${(bytes / 1e3).toFixed(0)}${SPACE}KB`;
  if (bytes < 999_950_000) return `${(bytes / 1e6).toFixed(1)}${SPACE}MB`;
  return `${(bytes / 1e9).toFixed(2)}${SPACE}GB`;
}
