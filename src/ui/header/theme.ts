/** Owns the choice between light and dark: as the system has it, or as the person says. */
import * as v from 'valibot';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'atelier-theme';
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
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Private windows may refuse; nothing is lost but the memory of it.
  }
}
