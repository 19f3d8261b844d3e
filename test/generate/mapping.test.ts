import { describe, expect, it } from "vitest";
import { iova, pa } from "../../src/base/words.ts";
import { mappingRuns } from "../../src/generate/mapping.ts";
import { slotRuns } from "../../src/generate/slotRun.ts";
import type { Layout, LayoutSlot } from "../../src/system/layout.ts";
import { example } from "./fixture.ts";

type Frame = Extract<LayoutSlot["cap"], { kind: "frame" }>;
const frame = (page: number, at: number, change: Partial<Frame> = {}): Frame => ({
  kind: "frame",
  region: 0,
  pa: pa(0x5000_0000n + BigInt(page) * 0x1000n),
  rights: "rw",
  mapped: { vspace: 0, iova: iova(0x1000_0000n + BigInt(at) * 0x1000n) },
  ...change,
});
const { mapped: _, ...unmapped } = frame(1, 1);
const slotsOf = (caps: readonly Frame[], numbers: readonly number[] = caps.map((_cap, index) => index)): LayoutSlot[] => caps.map((cap, index) => ({ slot: numbers[index]!, cap, name: `f_${index}` }));
const holding = (caps: readonly Frame[]): Layout => ({ ...example(), components: [{ ...example().components[0]!, slots: slotsOf(caps) }] });

const breaks: readonly (readonly [string, Frame])[] = [
  ["the physical address does not go on", frame(2, 1)],
  ["the IOVA does not go on", frame(1, 2)],
  ["the rights change", frame(1, 1, { rights: "r" })],
  ["the region changes", frame(1, 1, { region: 1 })],
  ["the address space changes", frame(1, 1, { mapped: { vspace: 1, iova: iova(0x1000_1000n) } })],
];

describe("mappingRuns", () => {
  it("joins pages that go on, in whatever slots they are", () => {
    expect(mappingRuns(holding([frame(2, 2), frame(0, 0), frame(1, 1)]))).toEqual([{ vspace: 0, region: 0, iova: 0x1000_0000n, pa: 0x5000_0000n, size: 0x3000n, rights: "rw" }]);
  });
  it.each(breaks)("starts anew where %s", (_name, next) => {
    expect(mappingRuns(holding([frame(0, 0), next]))).toHaveLength(2);
  });
  it("leaves frames out that are not mapped", () => expect(mappingRuns(holding([unmapped]))).toEqual([]));
});

describe("large frames", () => {
  const large = (caps: readonly Frame[]): Layout => ({ ...holding(caps), regions: example().regions.with(0, { ...example().regions[0]!, size: 0x40_0000n, frames: 0x20_0000n }) });
  const next = frame(0x200, 0x200);
  it("go on where the whole frame ends", () => {
    expect(mappingRuns(large([frame(0, 0), next]))).toMatchObject([{ iova: 0x1000_0000n, pa: 0x5000_0000n, size: 0x40_0000n }]);
    expect(mappingRuns(large([frame(0, 0), frame(1, 1)]))).toHaveLength(2);
    const runs = (caps: readonly Frame[]) => slotRuns(large(caps), large(caps).components[0]!).map(({ count }) => count);
    expect(runs([frame(0, 0), next])).toEqual([2]);
    expect(runs([frame(0, 0), frame(1, 1)])).toEqual([1, 1]);
  });
});

describe("slotRuns", () => {
  const runs = (slots: readonly LayoutSlot[]) => slotRuns(example(), { ...example().components[0]!, slots }).map(({ first, count }) => [first.slot, count]);
  it("joins frames of one region in consecutive slots, in slot order", () => {
    expect(runs(slotsOf([frame(1, 1), frame(0, 0), frame(2, 2)], [6, 5, 7]))).toEqual([[5, 3]]);
    expect(runs(slotsOf([unmapped, { ...unmapped, pa: pa(unmapped.pa + 0x1000n) }]))).toEqual([[0, 2]]);
  });
  it.each(breaks)("starts anew where %s", (_name, next) => expect(runs(slotsOf([frame(0, 0), next]))).toEqual([[0, 1], [1, 1]]));
  it("starts anew after an empty slot, and where a page is not mapped", () => {
    expect(runs(slotsOf([frame(0, 0), frame(1, 1)], [3, 5]))).toEqual([[3, 1], [5, 1]]);
    expect(runs(slotsOf([frame(0, 0), unmapped]))).toEqual([[0, 1], [1, 1]]);
  });
  it("never joins what is no frame", () => {
    expect(runs(example().components[0]!.slots.slice(0, 7)).every(([, count]) => count === 1)).toBe(true);
  });
});
