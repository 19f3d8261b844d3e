/**
 * What an exploration reached, so that a verdict can say what it never did: every invocation, every refusal of each, and
 * every DMA path that the spec intends.
 */
import type { Invocation } from "../kernel/invocation.ts";
import type { LayoutDmaPath } from "../system/layout.ts";
import type { View } from "./properties.ts";

export interface OperationCoverage {
  readonly label: string;
  readonly performed: number;
  readonly refused: readonly { readonly error: string; readonly when: string; readonly count: number }[];
}

export class Coverage {
  /** For each definition: how often it was performed, then how often each of its refusals answered. */
  private readonly counts = new Map<Invocation, number[]>();
  private readonly machines = new Set<number>();
  private readonly paths = new Set<LayoutDmaPath>();
  private readonly definitions: readonly Invocation[];

  constructor(definitions: readonly Invocation[]) {
    this.definitions = definitions;
    for (const definition of definitions) this.counts.set(definition, Array.from({ length: definition.refusals.length + 1 }, () => 0));
  }

  /** `refusal`: index in the definition's list, or -1 when it was performed. */
  count(definition: Invocation, refusal: number): void {
    this.counts.get(definition)![refusal + 1]! += 1;
  }

  /** Notes which intended DMA paths are open in a state; each machine state is looked at once. */
  see(view: View): void {
    if (this.machines.has(view.machine.id)) return;
    this.machines.add(view.machine.id);
    for (const path of view.booted.layout.dma) if (!this.paths.has(path) && view.reaches(path)) this.paths.add(path);
  }

  operations(): OperationCoverage[] {
    return this.definitions.map((definition) => ({
      label: definition.label,
      performed: this.counts.get(definition)![0]!,
      refused: definition.refusals.map(({ error, when }, index) => ({ error, when, count: this.counts.get(definition)![index + 1]! })),
    }));
  }

  unreachedPaths(paths: readonly LayoutDmaPath[]): LayoutDmaPath[] {
    return paths.filter((path) => !this.paths.has(path));
  }
}
