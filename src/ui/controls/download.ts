/** Owns handing bytes to a person as a file. */

/** Has the browser save `bytes` where it saves downloads. */
export function download(bytes: Blob, fileName: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(bytes);
  link.download = fileName;
  link.click();
  // The browser has taken hold of the bytes once the click has been handled.
  setTimeout(() => URL.revokeObjectURL(link.href), 0);
}
