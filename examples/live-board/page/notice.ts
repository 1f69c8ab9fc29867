import { byId } from "./dom.ts";

let hide: ReturnType<typeof setTimeout> | undefined;

/** Says something for a while. */
export function notice(text: string): void {
  const box = byId("notice");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(hide);
  hide = setTimeout(() => {
    box.hidden = true;
  }, 8_000);
}
