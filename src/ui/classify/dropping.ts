/**
 * Owns how files reach the page from outside: dropped anywhere on it, or pasted.
 */

/** For the file chooser: what `image/files.ts` lets pass, which looks again at the content. */
export const ACCEPTED_TYPES = 'image/png,image/jpeg,image/webp,image/gif,image/avif';

/** Told by a running drag: are there files in it, as opposed to text or a link of the page? */
function carriesFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false;
}

/** Silence after which a drag counts as gone; browsers report every 350 ms at the latest. */
const HOVER_MS = 600;

/**
 * Listens on the whole page until the returned function is called. A drop that something on the page
 * took for itself (by `preventDefault`) is left to it.
 */
export function listenForFiles(
  page: Window,
  { onFiles, onHover }: { onFiles: (files: File[]) => void; onHover: (isOver: boolean) => void },
): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  let fading: ReturnType<typeof setTimeout> | undefined;

  /** A drag reports itself several times a second while it is over the page, and then no more. */
  function hover(): void {
    clearTimeout(fading);
    fading = setTimeout(() => onHover(false), HOVER_MS);
    onHover(true);
  }

  function leave(): void {
    clearTimeout(fading);
    onHover(false);
  }

  page.addEventListener(
    'dragover',
    (event) => {
      if (event.defaultPrevented) {
        // Over a place that takes files of its own.
        leave();
        return;
      }
      if (!carriesFiles(event)) return;
      // Without this the browser would leave the page and open the file.
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
      hover();
    },
    { signal },
  );
  page.addEventListener(
    'dragleave',
    (event) => {
      // Without a related target the drag has left the window, not just an element in it.
      if (event.relatedTarget === null) leave();
    },
    { signal },
  );
  page.addEventListener(
    'drop',
    (event) => {
      leave();
      if (event.defaultPrevented || !carriesFiles(event)) return;
      event.preventDefault();
      onFiles([...(event.dataTransfer?.files ?? [])]);
    },
    { signal },
  );
  page.addEventListener(
    'paste',
    (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (event.defaultPrevented || files.length === 0) return;
      event.preventDefault();
      onFiles(files);
    },
    { signal },
  );
  return () => {
    clearTimeout(fading);
    listening.abort();
  };
}
