/**
 * Owns the parts of the page that are not seen first: their code comes once the browser has nothing
 * better to do, or when somebody comes near. Until then they keep their place.
 */
import { type ComponentType, startTransition, useEffect, useRef, useState } from 'react';
import styles from './later.module.css';

/** The code of a part of the page did not come. The message is for people. */
class PartNotFetchedError extends Error {
  override readonly name = 'PartNotFetchedError';
}

/** A part is fetched when it is nearer than this to the view: one more screen of scrolling. */
const NEAR = '100% 0px';
/** Where a browser does not tell when it is idle, it is taken to be idle after this. */
const IDLE_AFTER_MS = 1000;

/**
 * A component whose code comes later. Where it cannot be fetched, and somebody is near enough to
 * miss it, it throws a `PartNotFetchedError`; mounted again, it tries again.
 *
 * @param load Fetches the code; not called again after it succeeded.
 * @param waiting Class of what stands in its place meanwhile, and gives it its height.
 */
export function later<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  waiting = '',
): ComponentType<Props> {
  let fetched: Promise<ComponentType<Props>> | null = null;

  function fetchPart(): Promise<ComponentType<Props>> {
    fetched ??= load().catch((cause: unknown) => {
      fetched = null;
      throw new PartNotFetchedError(
        'The code of this part could not be fetched. Check the connection, or that the page’s server still runs, and show it again.',
        { cause },
      );
    });
    return fetched;
  }

  return function Later(props) {
    const [Part, setPart] = useState<ComponentType<Props> | null>(null);
    const [fault, setFault] = useState<unknown>(null);
    const place = useRef<HTMLDivElement>(null);

    useEffect(() => {
      let isMounted = true;
      const show = (part: ComponentType<Props>) => {
        if (isMounted) startTransition(() => setPart(() => part));
      };
      // What fails unasked is tried again when somebody comes near.
      const cancelIdle = whenIdle(() => fetchPart().then(show, () => {}));
      const observer = new IntersectionObserver(
        (entries) => {
          if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
          observer.disconnect();
          fetchPart().then(show, (error: unknown) => isMounted && setFault(error));
        },
        { rootMargin: NEAR },
      );
      if (place.current) observer.observe(place.current);
      return () => {
        isMounted = false;
        cancelIdle();
        observer.disconnect();
      };
    }, []);

    if (fault !== null) throw fault;
    if (Part) return <Part {...props} />;
    return (
      <div ref={place} className={`${styles.place} ${waiting}`} aria-busy>
        One moment.
      </div>
    );
  };
}

/** Returns how to call it off. */
function whenIdle(work: () => void): () => void {
  // Safari has no such callback.
  if (typeof requestIdleCallback !== 'function') {
    const timer = setTimeout(work, IDLE_AFTER_MS);
    return () => clearTimeout(timer);
  }
  const handle = requestIdleCallback(work);
  return () => cancelIdleCallback(handle);
}
