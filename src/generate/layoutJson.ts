/** `layout.json`: the layout as it is, addresses and sizes as hex strings since JSON numbers end at 2^53. */
import { hex } from "../base/words.ts";
import type { Layout } from "../system/layout.ts";

/** As JSON writes a character by number: one `\\uNNNN` for each of its UTF-16 units. */
const byNumber = (character: string): string => Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`).join("");

/**
 * Two spaces of indentation and a newline at the end; a bigint becomes `"0x…"`. JSON itself lets control characters
 * past U+007E and invisible ones stand in a string; a terminal would act on them.
 */
export const jsonText = (value: object): string => {
  const text = JSON.stringify(value, (_key, part: unknown) => (typeof part === "bigint" ? hex(part) : part), 2);
  return `${text.replace(/(?!\n)[\p{C}\p{Zl}\p{Zp}]/gu, byNumber)}\n`;
};

export const layoutJson = (layout: Layout): string => jsonText({ format: "cofferdam-layout", version: 1, ...layout });
