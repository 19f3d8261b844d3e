/** The properties (design §5), in the order in which they are judged and told. */
import { authorityConfinement } from "./capabilities/authorityConfinement.ts";
import { counters } from "./capabilities/counters.ts";
import { derivationTree } from "./capabilities/derivationTree.ts";
import { dmaConfinement } from "./dmaConfinement.ts";
import { dmaIntegrity } from "./dmaIntegrity.ts";
import { failClosed } from "./failClosed.ts";
import { noDangling } from "./noDangling.ts";
import { noStale } from "./noStale.ts";
import { noWedge } from "./noWedge.ts";
import { keptPromises } from "./promises.ts";
import type { Property } from "./property.ts";
import { refinement } from "./refinement.ts";

export const propertyNames = ["dma-confinement", "dma-integrity", "no-dangling", "fail-closed", "no-stale", "refinement", "authority-confinement", "derivation-tree", "counters", "kept-promises", "no-wedge"] as const;
export type PropertyName = (typeof propertyNames)[number];

export const properties: readonly (Property & { readonly name: PropertyName })[] = [dmaConfinement, dmaIntegrity, noDangling, failClosed, noStale, refinement, authorityConfinement, derivationTree, counters, keptPromises, noWedge];
