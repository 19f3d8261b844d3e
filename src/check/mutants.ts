/**
 * Deliberately broken kernels: `cofferdam` with one safeguard removed. A property that catches none of them says
 * nothing, so each is listed with who must catch it and in how few invocations.
 */
import type { Safeguard } from "../kernel/profile.ts";
import type { PropertyName } from "./properties.ts";

export interface Mutant {
  readonly without: Safeguard;
  /** The property that the shortest trace violates. */
  readonly caughtBy: PropertyName;
  /** Invocations on the shortest trace, on `specs/systems/one-driver`. */
  readonly length: number;
}
