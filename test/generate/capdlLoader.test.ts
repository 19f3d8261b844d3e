import { describe, expect, it } from "vitest";
import { runLoader, type SmmuObject } from "../../src/generate/capdlLoader.ts";
import { bootWarning } from "../../src/generate/capdlWarning.ts";

const sid = (name: string, number: number, smmu = 0): SmmuObject => ({ name, type: "streamid", smmu, number });
const cb = (name: string, number = 0, smmu = 0): SmmuObject => ({ name, type: "contextbank", smmu, number });
const issued = (objects: readonly SmmuObject[]) => runLoader(objects).streams.map(({ object, issued: number }) => [object.name, number]);

describe("runLoader: streams are counted in the order of their names", () => {
  it("counts from 0 whatever the board says", () => {
    expect(issued([sid("sid_b", 0x20), sid("sid_a", 0x10), cb("cb_a")])).toEqual([
      ["sid_a", 0],
      ["sid_b", 1],
    ]);
  });
  it("compares names by character code, not by alphabet", () => {
    expect(issued([sid("sid_a", 0), sid("sid_B", 0)])).toEqual([
      ["sid_B", 0],
      ["sid_a", 1],
    ]);
  });
  it("counts from 0 again after a context bank, and stops there at the stream issued twice", () => {
    const run = runLoader([sid("a_sid", 0), cb("b_cb"), sid("c_sid", 1), cb("d_cb")]);
    expect(run.streams.map((stream) => stream.issued)).toEqual([0, 0]);
    expect(run.stops.map(({ object }) => object.name)).toEqual(["c_sid", "d_cb"]);
  });
  it("stops at the second context bank, since both are made as bank 0", () => {
    const { stops, banks } = runLoader([cb("cb_b", 0), cb("cb_a", 1), sid("sid_a", 0)]);
    expect(stops).toMatchObject([{ object: { name: "cb_b" }, why: expect.stringContaining("RevokeFirst") as string }]);
    expect(banks.map(({ name }) => name)).toEqual(["cb_a"]);
  });
  it("stops once it has issued 61 streams", () => {
    const many = (count: number) => runLoader(Array.from({ length: count }, (_, index) => sid(`sid_${String(index).padStart(2, "0")}`, index))).stops;
    expect(many(60)).toEqual([]);
    expect(many(61)).toHaveLength(1);
  });
});

describe("capdl-not-bootable", () => {
  it("is silent when the loader gets everything right", () => {
    expect(bootWarning([sid("sid_a", 0), sid("sid_b", 1), cb("cb_a", 0)])).toEqual({ faults: [], diagnostics: [] });
    expect(bootWarning([])).toEqual({ faults: [], diagnostics: [] });
  });
  it("names the wrong stream and the right one", () => {
    const { faults, diagnostics } = bootWarning([sid("sid_nic", 0x10), cb("cb_nic", 0)]);
    expect(faults).toEqual(["it would issue stream 0x0 for sid_nic instead of 0x10"]);
    expect(diagnostics).toMatchObject([{ id: "capdl-not-bootable", severity: "warning", place: { file: "system.cdl" } }]);
    expect(diagnostics[0]?.message).toContain(faults[0]);
  });
  it("names a bank that is not 0, a second SMMU, and the stop before what would come after it", () => {
    expect(bootWarning([cb("cb_nic", 3)]).faults).toEqual(["it would create cb_nic as bank 0 instead of 3"]);
    expect(bootWarning([sid("sid_a", 0, 0), sid("sid_b", 1, 1)]).faults).toEqual(["it would number the streams and banks of 2 SMMUs as if they were one"]);
    expect(bootWarning([cb("cb_a", 0), cb("cb_b", 1), sid("sid_a", 0)]).faults).toEqual([
      "it stops at cb_b: every context bank is created as bank 0, and GetCB(0) answers RevokeFirst the second time",
      "past that it would create cb_b as bank 0 instead of 1",
    ]);
  });
  it("lists every fault in the file, and counts those that the message leaves out", () => {
    const { faults, diagnostics } = bootWarning(Array.from({ length: 9 }, (_, index) => sid(`sid_${index}`, index + 1)));
    expect(faults).toHaveLength(9);
    expect(diagnostics[0]?.message).toMatch(/and 5 more/);
  });
});
