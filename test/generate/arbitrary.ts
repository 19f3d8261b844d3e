/** Layouts for laws: any names, any stream and bank numbers, frames of any size, address spaces that straddle table borders. */
import fc from "fast-check";
import type { Layout } from "../../src/system/layout.ts";
import { layoutOf } from "./fixture.ts";

/** Text as an enemy would write it, in a spec or a device tree. */
export const hostileText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("", "../../etc/passwd", "*/ #error x /*", "con", "a-b", "a_b", "A_B", "9lives", "} caps {", "-- Dump", "|x|\n# y", "`<img src=x>", "\u001b[31m", "\u202egnp", "??/", "é"),
);

const IOVAS = [0x1000n, 0x1f_f000n, 0x3fff_f000n, 0x7f_ffff_f000n, 0x4000_0000n] as const;

export const arbitraryLayout: fc.Arbitrary<Layout> = fc
  .tuple(
    fc.array(
      fc.record({
        name: hostileText,
        pages: fc.integer({ min: 1, max: 4 }),
        iova: fc.constantFrom(...IOVAS),
        frames: fc.constantFrom(0x1000n, 0x1000n, 0x20_0000n, 0x4000_0000n),
        sid: fc.integer({ min: 0, max: 255 }),
        smmu: fc.integer({ min: 0, max: 1 }),
        bank: fc.integer({ min: 0, max: 7 }),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    hostileText,
  )
  .map(([drivers, name]) => layoutOf(drivers.map((driver) => ({ ...driver, iova: driver.iova - (driver.iova % driver.frames) })), name));
