/** The stream table: where the entry of a StreamID lies, and its eight words (IHI 0070 "Stream table lookup"). */
import type { Settings } from "./registers.ts";

export const STE_BYTES = 64n;
export const STE_WORDS = 8;

export type Entry =
  | { readonly result: "ok"; readonly addr: bigint; readonly words: readonly bigint[] }
  /** The StreamID is beyond the table. */
  | { readonly result: "bad stream" }
  | { readonly result: "external"; readonly fetch: bigint }
  | { readonly result: "unsupported"; readonly why: string };

export const entryOf = (read: (address: bigint) => bigint | undefined, settings: Settings, sid: number): Entry => {
  if (!settings.linear) return { result: "unsupported", why: "two-level stream tables are not modelled" };
  if (sid >= 2 ** Math.min(settings.log2Size, settings.streamBits)) return { result: "bad stream" };
  const addr = settings.streamTable + BigInt(sid) * STE_BYTES;
  const words: bigint[] = [];
  for (let word = 0; word < STE_WORDS; word++) {
    const value = read(addr + BigInt(word * 8));
    if (value === undefined) return { result: "external", fetch: addr };
    words.push(value);
  }
  return { result: "ok", addr, words };
};
