/** Names of a spec and what they stand for, while it is resolved. */
import { printable } from "../base/diagnostic.ts";
import type { Findings } from "./findings.ts";
import type { KeyPath } from "./place.ts";
import type { Spec } from "./spec.ts";
import { didYouMean } from "./suggestion.ts";

/** What every part of this stage has at hand. */
export interface Naming {
  readonly spec: Spec;
  readonly findings: Findings;
  /** Index of each component and region. */
  readonly components: ReadonlyMap<string, number>;
  readonly regions: ReadonlyMap<string, number>;
}

/** The index of each name of a record. */
export const indexed = (record: Readonly<Record<string, unknown>> | undefined): ReadonlyMap<string, number> => new Map(Object.keys(record ?? {}).map((name, index) => [name, index]));

/** Index of the component called `name`, or an error at `path`. */
export const componentNamed = ({ components, findings }: Naming, name: string, path: KeyPath): number | undefined => {
  const index = components.get(name);
  if (index === undefined) {
    findings.error("unknown-component", path, `there is no component \`${printable(name)}\`${didYouMean(name, components.keys())}`, "components are listed under `components`");
  }
  return index;
};
