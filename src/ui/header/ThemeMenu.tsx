/** Owns the switch between light and dark. */
import { Menu } from '@base-ui/react/menu';
import { Check, Monitor, Moon, Sun } from 'lucide-react';
import { useState } from 'react';
import menu from './Menu.module.css';
import { applyTheme, keptTheme, type Theme } from './theme.ts';

const THEMES = [
  { value: 'system', label: 'As the system', icon: Monitor },
  { value: 'light', label: 'Light', icon: Sun },
  { value: 'dark', label: 'Dark', icon: Moon },
] as const;

export function ThemeMenu() {
  const [theme, setTheme] = useState<Theme>(keptTheme);
  const current = THEMES.find(({ value }) => value === theme) ?? THEMES[0];
  const choose = (next: Theme) => {
    setTheme(next);
    applyTheme(next);
  };
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className={menu.trigger} aria-label={`Colours: ${current.label.toLowerCase()}`}>
        <current.icon aria-hidden size={17} />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner
          className={menu.positioner}
          align="end"
          sideOffset={6}
          collisionPadding={12}
        >
          <Menu.Popup className={menu.popup}>
            <Menu.RadioGroup value={theme} onValueChange={choose}>
              {THEMES.map(({ value, label, icon: Icon }) => (
                <Menu.RadioItem key={value} value={value} className={menu.item} closeOnClick>
                  <Icon aria-hidden size={16} className={menu.itemIcon} />
                  <span className={menu.itemTitle}>{label}</span>
                  <Menu.RadioItemIndicator className={menu.tick}>
                    <Check aria-hidden size={16} />
                  </Menu.RadioItemIndicator>
                </Menu.RadioItem>
              ))}
            </Menu.RadioGroup>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
