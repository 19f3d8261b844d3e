/**
 * What an exploration reached, so that a verdict can say what it never did: every invocation, every refusal of each, and
 * every DMA path that the spec intends.
 */
import type { Invocation, Refusal } from "../kernel/invocation.ts";
import type { LayoutDmaPath } from "../system/layout.ts";
import type { View } from "./properties.ts";

export interface OperationCoverage {
  readonly label: string;
  readonly performed: number;
  readonly refused: readonly { readonly error: string; readonly when: string; readonly count: number }[];
}

export class Coverage {
  private readonly performed = new Map<Invocation, number>();
  private readonly refused = new Map<Refusal, number>();
  private readonly machines = new Set<number>();
  private readonly paths = new Set<LayoutDmaPath>();
  private readonly definitions: readonly Invocation[];

  constructor(definitions: readonly Invocation[]) {
    this.definitions = definitions;
  }

  count(definition: Invocation, refusal: Refusal | undefined): void {
    if (refusal === undefined) this.performed.set(definition, (this.performed.get(definition) ?? 0) + 1);
    else this.refused.set(refusal, (this.refused.get(refusal) ?? 0) + 1);
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
      performed: this.performed.get(definition) ?? 0,
      refused: definition.refusals.map((refusal) => ({ error: refusal.error, when: refusal.when, count: this.refused.get(refusal) ?? 0 })),
    }));
  }

  unreachedPaths(paths: readonly LayoutDmaPath[]): LayoutDmaPath[] {
    return paths.filter((path) => !this.paths.has(path));
  }
}
