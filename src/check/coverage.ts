/**
 * What an exploration reached, so that a verdict can say what it never did: every invocation, every refusal of each, and
 * every DMA path that the spec intends.
 */
import type { Invocation } from "../kernel/invocation.ts";
import type { LayoutDmaPath } from "../system/layout.ts";
import type { MachineState } from "./machine.ts";
import type { Property, View } from "./properties/property.ts";

export interface OperationCoverage {
  readonly label: string;
  readonly performed: number;
  readonly refused: readonly { readonly error: string; readonly when: string; readonly count: number }[];
}

/** What an earlier run had reached, to be added to: plain values, as a checkpoint holds them. */
export interface Reached {
  readonly operations: OperationCoverage[];
  /** Indices into the layout's intended paths. */
  readonly paths: readonly number[];
  /** Properties of which some state showed what they need. */
  readonly exercised: readonly string[];
}

/** What parts of a run reached together; there is at least one. */
export const reachedTogether = (parts: readonly Reached[]): Reached => ({
  operations: parts[0]!.operations.map(({ label, refused }, at) => {
    const each = parts.map(({ operations }) => operations[at]!);
    return {
      label,
      performed: each.reduce((sum, { performed }) => sum + performed, 0),
      refused: refused.map(({ error, when }, refusal) => ({ error, when, count: each.reduce((sum, operation) => sum + operation.refused[refusal]!.count, 0) })),
    };
  }),
  paths: [...new Set(parts.flatMap(({ paths }) => paths))].toSorted((a, b) => a - b),
  exercised: [...new Set(parts.flatMap(({ exercised }) => exercised))],
});

/** Calls its argument with how often each definition was performed (-1) or refused for each reason. */
export type Counted = (count: (definition: Invocation, refusal: number, times: number) => void) => void;

export class Coverage {
  /** For each definition: how often it was performed, then how often each of its refusals answered. */
  private readonly counts = new Map<Invocation, number[]>();
  private readonly elsewhere: Counted[] = [];
  private readonly machines = new Set<number>();
  private readonly paths = new Set<LayoutDmaPath>();
  private readonly definitions: readonly Invocation[];
  /** Properties that nothing was seen for yet; those that judge every state by itself are looked at there, too. */
  private wanting: readonly Property[];
  private readonly exercised = new Set<string>();

  constructor(definitions: readonly Invocation[], properties: readonly Property[] = []) {
    this.definitions = definitions;
    this.wanting = properties.filter(({ needs }) => needs !== undefined);
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
    this.exercise(view, ({ plain }) => plain !== true);
  }
  /** Asks the properties that are waiting for what they need whether the state shows it. */
  exercise(view: View, which: (property: Property) => boolean): void {
    const met = this.wanting.filter((property) => which(property) && property.needs!.met(view));
    if (met.length === 0) return;
    for (const { name } of met) this.exercised.add(name);
    this.wanting = this.wanting.filter((property) => !met.includes(property));
  }
  /** Some property that is judged in every state by itself waits for what it needs. */
  get waiting(): boolean {
    return this.wanting.some(({ plain }) => plain === true);
  }
  /** What no state showed, by the property that holds of nothing without it. */
  vacuous(): { readonly property: string; readonly needs: string }[] {
    return this.wanting.map(({ name, needs }) => ({ property: name, needs: needs!.words }));
  }

  reached(dma: readonly LayoutDmaPath[]): Reached {
    return { operations: this.operations(), paths: dma.flatMap((path, index) => (this.paths.has(path) ? [index] : [])), exercised: [...this.exercised] };
  }
  /** Goes on from what an earlier run of the same model had reached. */
  resume({ operations, paths, exercised }: Reached, dma: readonly LayoutDmaPath[]): void {
    for (const [index, { performed, refused }] of operations.entries()) {
      const definition = this.definitions[index]!;
      this.count(definition, -1, performed);
      for (const [refusal, { count }] of refused.entries()) this.count(definition, refusal, count);
    }
    for (const index of paths) this.paths.add(dma[index]!);
    for (const name of exercised) this.exercised.add(name);
    this.wanting = this.wanting.filter(({ name }) => !this.exercised.has(name));
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
