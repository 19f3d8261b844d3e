/** `layout.json`: the layout as it is, addresses and sizes as hex strings since JSON numbers end at 2^53. */
import { hex } from "../base/words.ts";
import type { Layout } from "../system/layout.ts";

/** Two spaces of indentation and a newline at the end; a bigint becomes `"0x…"`. */
export const jsonText = (value: object): string => `${JSON.stringify(value, (_key, part: unknown) => (typeof part === "bigint" ? hex(part) : part), 2)}\n`;

export const layoutJson = (layout: Layout): string => jsonText({ format: "cofferdam-layout", version: 1, ...layout });
