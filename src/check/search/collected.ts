/** Paths to violations, level by level: for each property those with the fewest steps, then the first in path order. */
import type { Found, Standing, Wanted } from "./breadth.ts";

/** A state that violates properties, and the path to it. */
export interface Violating {
  /** Bit mask of the properties. */
  readonly violated: number;
  readonly steps: number;
  readonly path: () => readonly number[];
}

export class Collected {
  readonly found: Found[] = [];
  private readonly signatures = new Map<number, Set<string>>();
  private readonly wanted: Wanted;

  constructor(wanted: Wanted = { traces: 1, signature: () => "" }, from?: Pick<Standing, "found" | "signatures">) {
    this.wanted = wanted;
    this.found.push(...(from?.found ?? []));
    for (const [bit, signatures] of from?.signatures ?? []) this.signatures.set(bit, new Set(signatures));
  }

  standing(): Pick<Standing, "found" | "signatures"> {
    return { found: [...this.found], signatures: [...this.signatures].map(([bit, signatures]) => [bit, [...signatures]]) };
  }

  /** The violating states of a level, in path order. */
  take(violating: readonly Violating[], late: () => boolean): void {
    const all = violating.reduce((mask, { violated }) => mask | violated, 0);
    for (let bit = 0; all >>> bit !== 0; bit++) {
      const those = violating.filter(({ violated }) => ((violated >>> bit) & 1) !== 0);
      if (those.length > 0) this.takeOf(bit, those, late);
    }
  }
  private takeOf(bit: number, violating: readonly Violating[], late: () => boolean): void {
    const signatures = this.signatures.get(bit) ?? new Set();
    this.signatures.set(bit, signatures);
    // Sorting is stable, so path order decides among equals.
    for (const { steps, path } of violating.toSorted((a, b) => a.steps - b.steps)) {
      if (signatures.size >= this.wanted.traces || (signatures.size > 0 && late())) break;
      const ordinals = path();
      const signature = this.wanted.signature(ordinals, bit);
      if (signatures.has(signature)) continue;
      signatures.add(signature);
      this.found.push({ violated: 1 << bit, ordinals, steps });
    }
  }

  /** Something is violated, and every property that is has as many paths as are wanted. */
  enough(): boolean {
    return this.signatures.size > 0 && [...this.signatures.values()].every(({ size }) => size >= this.wanted.traces);
  }
}
