/**
 * Canonical form: differences between states that no rule can tell are taken out, so that an explorer meets each
 * behaviour once. A law test holds it to that: a state and its canonical form answer every invocation alike, and what
 * follows is alike again.
 */
import { UNTYPED } from "./capability.ts";
import { hasChildren } from "./cspace.ts";
import type { Kernel } from "./kernel.ts";
import { isReduced } from "./reductions.ts";

/**
 * How far an untyped was handed out matters only while something made from it is left: without children the next Retype
 * starts from its beginning (untyped.c `resetUntypedCap`).
 */
export const canonicalise = (kernel: Kernel): void => {
  if (!isReduced(kernel.plan, "watermarks")) return;
  const { slot } = kernel.tables;
  // In a slice only what its own untypeds are is asked for, so that it depends on no other slice.
  const rows = kernel.plan.slice?.untypeds.flatMap((object) => slot.having({ kind: UNTYPED, object })) ?? slot.having({ kind: UNTYPED });
  for (const row of rows) {
    const untyped = slot.at(row);
    if (untyped.watermark !== 0 && !hasChildren(kernel, row)) untyped.watermark = 0;
  }
};
