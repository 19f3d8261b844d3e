/** What would go wrong if `system.cdl` were given to seL4's loader as it is, in words. */
import type { Diagnostic } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import { runLoader, type SmmuObject } from "./capdlLoader.ts";

/** How many objects a message names before it counts the others. */
const NAMED = 4;

/** Each fault of this system in one sentence; empty when the loader would get everything right. */
const faultsOf = (objects: readonly SmmuObject[]): readonly string[] => {
  const { streams, stops, banks } = runLoader(objects);
  const smmus = new Set(objects.map(({ smmu }) => smmu));
  const itWould = stops.length === 0 ? "it would" : "past that it would";
  return [
    ...stops.slice(0, 1).map(({ object, why }) => `it stops at ${object.name}: ${why}`),
    ...streams.flatMap(({ object, issued }) => (issued === object.number ? [] : [`${itWould} issue stream ${hex(issued)} for ${object.name} instead of ${hex(object.number)}`])),
    ...banks.map(({ name, number }) => `${itWould} create ${name} as bank 0 instead of ${number}`),
    ...(smmus.size > 1 ? [`${itWould} number the streams and banks of ${smmus.size} SMMUs as if they were one`] : []),
  ];
};

export interface BootWarning {
  /** One sentence a fault, for the top of the file. */
  readonly faults: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
}

/** `capdl-not-bootable`, only when it applies. */
export const bootWarning = (objects: readonly SmmuObject[]): BootWarning => {
  const faults = faultsOf(objects);
  if (faults.length === 0) return { faults, diagnostics: [] };
  const more = faults.length > NAMED ? `; and ${faults.length - NAMED} more, listed at the top of the file` : "";
  const diagnostic: Diagnostic = {
    id: "capdl-not-bootable",
    severity: "warning",
    message: `seL4's capDL loader would not start this system from system.cdl as planned: ${faults.slice(0, NAMED).join("; ")}${more}`,
    place: { file: "system.cdl" },
    hint: "capDL cannot say stream numbers, bank numbers or bindings; smmu-bindings.json has the true ones, by the names of system.cdl",
  };
  return { faults, diagnostics: [diagnostic] };
};

/** `capdl-omits-control`: slots that stay empty in system.cdl because capDL has no SIDControl and CBControl. */
export const controlWarning = (slots: readonly string[]): readonly Diagnostic[] =>
  slots.length === 0
    ? []
    : [
        {
          id: "capdl-omits-control",
          severity: "warning",
          message: `system.cdl leaves ${slots.length === 1 ? "a slot" : `${slots.length} slots`} empty, since capDL has no word for SIDControl and CBControl: ${slots.slice(0, NAMED).join(", ")}${slots.length > NAMED ? ", ..." : ""}`,
          place: { file: "system.cdl" },
          hint: "the loader keeps both capabilities to itself; move them into these slots after it",
        },
      ];
