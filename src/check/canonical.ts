/** Canonical JSON and its SHA-256: keys sorted, bigints as hex strings, so that equal values have equal bytes. */
import { createHash } from "node:crypto";
import { hex } from "../base/words.ts";

export const canonicalJson = (value: unknown): string => {
  if (typeof value === "bigint") return JSON.stringify(hex(value));
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
};

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
