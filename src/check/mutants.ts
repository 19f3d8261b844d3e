/**
 * Deliberately broken kernels: `cofferdam` with one safeguard removed. A property that catches none of them says
 * nothing, so each is listed with who must catch it and in how few invocations. `test/check/mutants.test.ts` runs them.
 */
import type { Safeguard } from "../kernel/profile.ts";
import type { Scope } from "../system/scale.ts";
import type { PropertyName } from "./properties/properties.ts";

export interface Mutant {
  readonly without: Safeguard;
  /** The properties that the shortest traces violate, in declared order. */
  readonly caughtBy: readonly PropertyName[];
  /** Invocations on the shortest trace. */
  readonly length: number;
  /** The system in specs/systems that shows it, and the scope where it is not the default. */
  readonly system: string;
  readonly scope?: Partial<Scope>;
}

export const mutants: readonly Mutant[] = [
  { without: "gbpa-aborts", caughtBy: ["fail-closed"], length: 0, system: "one-driver" },
  { without: "unbind-clears-ste", caughtBy: ["fail-closed", "refinement"], length: 3, system: "one-driver" },
  { without: "revoke-finalises-kernel-copies", caughtBy: ["fail-closed", "refinement"], length: 3, system: "one-driver" },
  { without: "unassign-aborts-streams", caughtBy: ["fail-closed", "refinement"], length: 3, system: "one-driver" },
  { without: "frame-delete-invalidates", caughtBy: ["dma-integrity", "no-dangling", "no-stale"], length: 3, system: "one-driver" },
  { without: "unmap-invalidates", caughtBy: ["dma-integrity", "no-stale"], length: 3, system: "one-driver" },
  { without: "table-delete-invalidates", caughtBy: ["no-dangling"], length: 5, system: "one-driver" },
  { without: "map-breaks-before-make", caughtBy: ["no-stale"], length: 3, system: "one-driver" },
  { without: "every-stream-aborts", caughtBy: ["fail-closed", "refinement"], length: 4, system: "two-cards" },
  { without: "vmid-cleared-between-vspaces", caughtBy: ["dma-integrity", "no-dangling", "no-stale"], length: 5, system: "one-driver" },
  { without: "retype-clears-memory", caughtBy: ["kept-promises"], length: 1, system: "one-driver" },
  { without: "map-checks-rights", caughtBy: ["dma-confinement", "dma-integrity"], length: 3, system: "shared-config" },
  { without: "ste-words-before-config", caughtBy: ["dma-integrity", "no-stale"], length: 4, system: "two-spaces", scope: { slots: 0 } },
  { without: "table-invalidates-everything-below", caughtBy: ["no-stale"], length: 3, system: "shared-config", scope: { pages: 2 } },
  { without: "copy-masks-rights", caughtBy: ["authority-confinement"], length: 1, system: "shared-config" },
  { without: "revoke-takes-all", caughtBy: ["kept-promises"], length: 2, system: "one-driver" },
  { without: "retype-respects-children", caughtBy: ["authority-confinement"], length: 2, system: "one-driver", scope: { slots: 2 } },
  { without: "issue-refuses-twice", caughtBy: ["authority-confinement"], length: 1, system: "self-service" },
  { without: "copy-remembers-parent", caughtBy: ["derivation-tree"], length: 1, system: "one-driver" },
  { without: "delete-hands-children-on", caughtBy: ["derivation-tree"], length: 1, system: "one-driver" },
  { without: "copy-fills-untyped", caughtBy: ["counters"], length: 1, system: "one-driver" },
  { without: "delete-clears-issued", caughtBy: ["counters"], length: 1, system: "shared-config" },
  { without: "issue-marks-issued", caughtBy: ["counters"], length: 2, system: "self-service" },
  { without: "frame-delete-unmaps", caughtBy: ["dma-integrity"], length: 4, system: "large-frames" },
  { without: "cnode-delete-empties", caughtBy: ["authority-confinement"], length: 3, system: "one-driver" },
  { without: "tables-copied-mapped", caughtBy: ["counters"], length: 3, system: "shared-config" },
  { without: "delete-unbinds", caughtBy: ["counters"], length: 2, system: "self-service" },
  { without: "vspace-delete-frees-asid", caughtBy: ["counters"], length: 1, system: "self-service" },
  { without: "remap-invalidates", caughtBy: ["no-stale"], length: 3, system: "one-driver" },
  { without: "barrier-before-cfgi", caughtBy: ["no-wedge"], length: 2, system: "one-driver" },
  { without: "range-names-a-level", caughtBy: ["no-wedge"], length: 2, system: "one-driver" },
];
