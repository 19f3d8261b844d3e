import { describe, expect, it } from "vitest";
import { checkLayout } from "../../src/check/check.ts";
import { createModel } from "../../src/check/model.ts";
import { properties, propertyNames } from "../../src/check/properties/properties.ts";
import { keptPromises } from "../../src/check/properties/promises.ts";
import { cbNode, sidNode } from "../../src/kernel/binding.ts";
import { clearSlot, FRAME, READ_WRITE, SID } from "../../src/kernel/capability.ts";
import { invocations } from "../../src/kernel/invocations.ts";
import type { Invocation, Request } from "../../src/kernel/invocation.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { cofferdam } from "../../src/kernel/profile.ts";
import { NONE } from "../../src/base/state.ts";
import { ENTRY_PAGE } from "../../src/kernel/state.ts";
import { boot } from "../../src/system/boot.ts";
import { defaultScope, scale } from "../../src/system/scale.ts";
import { layoutOf } from "../kernel/fixture.ts";

/** Runs a check of a kernel in which one invocation has another effect. */
const checked = (label: string, wrong: (right: Invocation["effect"]) => Invocation["effect"], system: string, scope = {}) => {
  const definition = invocations.find((candidate) => candidate.label === label)! as { effect: Invocation["effect"] };
  const right = definition.effect;
  definition.effect = wrong(right);
  try {
    const { result, violations } = checkLayout(layoutOf(system), { scope: { ...defaultScope, ...scope }, properties: [keptPromises], bounds: { states: 20_000 } });
    return { result, messages: violations.map(({ message }) => message), traces: violations.map(({ trace }) => trace!.steps.map(({ op }) => op)), whole: violations.map(({ unscaled }) => unscaled!.result) };
  } finally {
    definition.effect = right;
  }
};
const nothing = () => () => {};
/** The right effect, and something else behind it. */
const spoilt =
  (spoil: (kernel: Kernel, request: Request) => void) =>
  (right: Invocation["effect"]): Invocation["effect"] =>
  (kernel, request) => {
    right(kernel, request);
    spoil(kernel, request);
  };

describe("kept-promises", () => {
  const does: readonly (readonly [label: string, what: string, system: string, wrong: Parameters<typeof checked>[1]])[] = [
    ["CNodeDelete", "the slot is empty", "self-service", nothing],
    ["CNodeRevoke", "nothing is derived", "self-service", nothing],
    ["CNodeMove", "in its new slot", "self-service", nothing],
    ["CNodeCopy", "mapped nowhere", "self-service", spoilt((kernel) => kernel.tables.slot.having({ kind: FRAME }).forEach((row) => (kernel.tables.slot.at(row).asid = 0)))],
    ["ARMSIDBindCB", "bound to that bank", "self-service", nothing],
    ["ARMSIDUnbindCB", "bound to nothing", "self-service", nothing],
    ["ARMCBAssignVspace", "has that address space", "self-service", nothing],
    ["ARMCBUnassignVspace", "has no address space", "self-service", nothing],
    ["ARMCBTLBInvalidate", "told to invalidate", "self-service", nothing],
    ["ARMSIDIssueSIDManager", "that of the stream asked for", "two-cards", spoilt((kernel) => kernel.tables.slot.having({ kind: SID }).forEach((row) => (kernel.tables.slot.at(row).object = 0)))],
    ["ARMCBIssueCBManager", "that of the bank asked for", "self-service", nothing],
    ["ARMPageMap", "with the rights asked for", "self-service", spoilt((kernel) => kernel.tables.entry.forEach((entry) => (entry.rights = entry.kind === ENTRY_PAGE ? READ_WRITE : 0)))],
    ["ARMPageMap", "the capability says so", "self-service", spoilt((kernel, { target }) => (kernel.tables.slot.at(target).asid = NONE))],
    ["ARMPageUnmap", "no more mapped", "self-service", nothing],
    ["ARMPageTableUnmap", "all of the table was cleared", "shared-config", (right) => (kernel, request) => right({ ...kernel, emit: () => {} }, request)],
    ["UntypedRetype", "memory was cleared", "one-driver", (right) => (kernel, request) => right({ ...kernel, emit: () => {} }, request)],
    ["UntypedRetype", "all rights", "one-driver", spoilt((kernel) => kernel.tables.slot.having({ kind: FRAME }).forEach((row) => (kernel.tables.slot.at(row).rights = 0)))],
  ];
  for (const [label, what, system, wrong] of does)
    it(`tells when it is not so after ${label} that ${what}`, () => {
      const { result, messages, traces, whole } = checked(label, wrong, system);
      expect(result).toBe("violated");
      expect(messages).toEqual([expect.stringContaining(what)]);
      expect(traces[0]!.at(-1)).toBe(label);
      expect(whole).toEqual(["violated"]);
    });

  it("tells of a kernel that ends in an error of its own, with what led there", () => {
    const crash = checked("ARMCBAssignVspace", () => (kernel, { target }) => {
      // Half of it is done by then, in a way that no state can be.
      clearSlot(kernel.tables.slot.at(cbNode(kernel, kernel.tables.slot.at(target).object)));
      kernel.tables.slot.at(sidNode(kernel, 0)).object = 12;
      throw new TypeError("followed a null pointer");
    }, "self-service");
    expect(crash).toEqual({ result: "violated", messages: [expect.stringContaining("TypeError: followed a null pointer")], traces: [["ARMCBAssignVspace"]], whole: ["violated"] });
  });

  it("has room for its number in every state that is explored, and none where nothing is", () => {
    expect(propertyNames).toContain("kept-promises");
    const booted = boot(scale(layoutOf("self-service"), defaultScope), cofferdam);
    const model = createModel(booted, properties);
    expect(model.kernel.tables.processor.at(0).broken).toBe(0);
    expect(keptPromises.violation(model.viewAt(model.initial, 0))).toBeUndefined();
  });
});
