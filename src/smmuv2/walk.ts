/** One address through the tables in memory (IHI 0062 D.c section 2.6.4; faults in the order of DDI 0487). */
import { levelShift, type Regime } from "./contextBank.ts";
import { allows, type Asked, decodeDescriptor, descriptorName, type FaultName, NO_LIMITS } from "./descriptor.ts";
import type { Image, Via } from "./memory.ts";

export type Walked = { readonly via: readonly Via[] } & (
  | { readonly result: "ok"; readonly output: bigint }
  | { readonly result: "fault"; readonly fault: FaultName; readonly level: number }
);

/** Level that a fault is told for when no table was read (section 17.3.1, PLVL). */
const NO_LEVEL = 1;

export const walk = (image: Image, regime: Regime, address: bigint, asked: Asked): Walked => {
  const via: Via[] = [];
  if (address >> BigInt(regime.inputBits) !== 0n) return { result: "fault", fault: "TF", level: NO_LEVEL, via };
  if (regime.noWalk !== undefined) return { result: "fault", fault: regime.noWalk, level: NO_LEVEL, via };
  let table = regime.root;
  let limits = NO_LIMITS;
  for (let level = regime.startLevel; ; level++) {
    const index = address >> levelShift(level);
    // The root may be several tables side by side.
    const at = table + 8n * (level === regime.startLevel ? index : index & 511n);
    const value = image.read(at);
    via.push({ what: descriptorName(level, regime.tag.stage), addr: at, value });
    const descriptor = decodeDescriptor(value, level, regime, limits);
    if (descriptor.is === "fault") return { result: "fault", fault: descriptor.fault, level, via };
    if (descriptor.is === "leaf") {
      if (!allows(descriptor.rights, asked)) return { result: "fault", fault: "PF", level, via };
      return { result: "ok", output: descriptor.output | (address & (descriptor.size - 1n)), via };
    }
    ({ next: table, limits } = descriptor);
  }
};
