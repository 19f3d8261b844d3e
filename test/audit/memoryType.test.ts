import { describe, expect, it } from "vitest";
import { mairType, stage2Type } from "../../src/audit/memoryType.ts";

describe("memory types", () => {
  it("of MAIR, with what reserved values behave as (IHI 0070 section 5.4 MAIR0)", () => {
    const said = Object.fromEntries([0x00, 0x04, 0x08, 0x0c, 0x01, 0x07, 0x44, 0xff, 0xf4, 0xbb, 0x77, 0x40].map((byte) => [byte, mairType(byte)]));
    expect(said).toEqual({
      0x00: "Device-nGnRnE",
      0x04: "Device-nGnRE",
      0x08: "Device-nGRE",
      0x0c: "Device-GRE",
      0x01: "Device-nGnRnE",
      0x07: "Device-nGnRE",
      0x44: "Normal non-cacheable",
      0xff: "Normal write-back read-write-allocate",
      0xf4: "Normal, outer write-back read-write-allocate, inner non-cacheable",
      0xbb: "Normal write-through read-write-allocate",
      0x77: "Normal transient write-back read-write-allocate",
      0x40: "Normal, outer non-cacheable, inner transient write-through read-write-allocate (reserved value 0)",
    });
  });

  it("of stage 2 (DDI 0487 table D8-96), and with S2FWB (tables D8-100, D8-101)", () => {
    expect([0, 1, 2, 3, 5, 7, 10, 15, 4].map((type) => stage2Type(type, false))).toEqual([
      "Device-nGnRnE",
      "Device-nGnRE",
      "Device-nGRE",
      "Device-GRE",
      "Normal non-cacheable",
      "Normal, outer non-cacheable, inner write-back",
      "Normal write-through",
      "Normal write-back",
      "Normal (reserved value)",
    ]);
    expect([1, 5, 6, 7].map((type) => stage2Type(type, true))).toEqual(["Device-nGnRE", "Normal non-cacheable, or Device where stage 1 says so", "Normal write-back", "as stage 1 says"]);
  });
});
