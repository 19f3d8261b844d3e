/**
 * What an exploration reached, so that a verdict can say what it never did: every invocation, every refusal of each, and
 * every DMA path that the spec intends.
 */
import type { Invocation } from "../kernel/invocation.ts";
import type { LayoutDmaPath } from "../system/layout.ts";
import type { MachineState } from "./machine.ts";
import type { View } from "./properties.ts";

export interface OperationCoverage {
  readonly label: string;
  readonly performed: number;
  readonly refused: readonly { readonly error: string; readonly when: string; readonly count: number }[];
}

/** Calls its argument with how often each definition was performed (-1) or refused for each reason. */
export type Counted = (count: (definition: Invocation, refusal: number, times: number) => void) => void;

export class Coverage {
  /** For each definition: how often it was performed, then how often each of its refusals answered. */
  private readonly counts = new Map<Invocation, number[]>();
  private readonly elsewhere: Counted[] = [];
  private readonly machines = new Set<number>();
  private readonly paths = new Set<LayoutDmaPath>();
  private readonly definitions: readonly Invocation[];

  constructor(definitions: readonly Invocation[]) {
    this.definitions = definitions;
    for (const definition of definitions) this.counts.set(definition, Array.from({ length: definition.refusals.length + 1 }, () => 0));
  }

  /** `refusal`: index in the definition's list, or -1 when it was performed. */
  count(definition: Invocation, refusal: number, times = 1): void {
    this.counts.get(definition)![refusal + 1]! += times;
  }
  /** Further counts, made elsewhere, that are added when coverage is asked for. */
  also(counted: Counted): void {
    this.elsewhere.push(counted);
  }
  saw(machine: MachineState): boolean {
    return this.machines.has(machine.id);
  }

  /** Notes which intended DMA paths are open in a state; each machine state is looked at once. */
  see(view: View): void {
    if (this.machines.has(view.machine.id)) return;
    this.machines.add(view.machine.id);
    for (const path of view.booted.layout.dma) if (!this.paths.has(path) && view.reaches(path)) this.paths.add(path);
  }

  operations(): OperationCoverage[] {
    const all = new Map([...this.counts].map(([definition, counts]) => [definition, [...counts]]));
    for (const counted of this.elsewhere) counted((definition, refusal, times) => void (all.get(definition)![refusal + 1]! += times));
    return this.definitions.map((definition) => ({
      label: definition.label,
      performed: all.get(definition)![0]!,
      refused: definition.refusals.map(({ error, when }, index) => ({ error, when, count: all.get(definition)![index + 1]! })),
    }));
  }

  unreachedPaths(paths: readonly LayoutDmaPath[]): LayoutDmaPath[] {
    return paths.filter((path) => !this.paths.has(path));
  }
}
