/** Owns the choice between light and dark: as the system has it, or as the person says. */
import * as v from 'valibot';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'atelier-theme';
/** Marks the element that we add to the page's head. */
const FRAME_CLASS = 'chosen-theme';
const schema = v.picklist(['system', 'light', 'dark']);

/** The choice kept from an earlier visit; "system" where there is none or storage is shut. */
export function keptTheme(): Theme {
  try {
    return v.parse(schema, localStorage.getItem(KEY));
  } catch {
    return 'system';
  }
}

/** Puts the theme on the page and keeps it. Where storage is shut it lasts as long as the page. */
export function applyTheme(theme: Theme): void {
  const root = document.documentElement;
  document.querySelector(`meta.${FRAME_CLASS}`)?.remove();
  if (theme === 'system') {
    delete root.dataset.theme;
  } else {
    root.dataset.theme = theme;
    // The browser colours its own frame by the first that fits: before those for the system's wish.
    const frame = document.createElement('meta');
    frame.name = 'theme-color';
    frame.className = FRAME_CLASS;
    frame.content = getComputedStyle(root).getPropertyValue('--paper').trim();
    document.head.prepend(frame);
  }
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Private windows may refuse; nothing is lost but the memory of it.
  }
}
