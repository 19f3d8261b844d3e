import { describe, expect, it } from "vitest";
import { labels, slotOfCptr, subjectOf } from "../../src/kernel/api.ts";
import { invocations } from "../../src/kernel/invocations.ts";
import { bootOf, run, slotOf } from "./fixture.ts";

describe("a subject's handle", () => {
  const running = run(bootOf("one-driver"));
  const subject = subjectOf(running.kernel, 0);

  it("has one verb and nothing else: no table, row or object can be reached through it", () => {
    expect(Object.isFrozen(subject)).toBe(true);
    expect(Reflect.ownKeys(subject)).toEqual(["invoke"]);
    expect(new Set(Reflect.ownKeys(subject.invoke))).toEqual(new Set(["length", "name"]));
    expect(Object.getPrototypeOf(subject)).toBe(Object.prototype);
  });

  it("answers with an error and words only", () => {
    const cb = BigInt(slotOf(running.booted, "nic-driver", "cb"));
    const vspace = BigInt(slotOf(running.booted, "nic-driver", "vspace"));
    expect(subject.invoke({ cptr: cb, label: "ARMCBAssignVspace", words: [], caps: [vspace] })).toEqual({ error: "seL4_NoError", words: [] });
    expect(subject.invoke({ cptr: cb, label: "ARMCBAssignVspace", words: [], caps: [vspace] })).toEqual({ error: "seL4_DeleteFirst", words: [] });
  });

  it("names only its own CSpace: another component's slots are not among its cptrs", () => {
    const own = running.booted.plan.cnodes[0]!;
    for (let cptr = 0n; cptr < 64n; cptr++) {
      const row = slotOfCptr(running.kernel, 0, cptr);
      if (row >= 0) expect(row >= own.firstRow && row < own.firstRow + own.indices.length).toBe(true);
    }
    expect(slotOfCptr(running.kernel, 0, 1n << 63n)).toBe(-1);
  });

  it("keeps its CSpace when it deletes the capability to its own root", () => {
    const { call, booted, kernel } = run(bootOf("one-driver"));
    const root = slotOf(booted, "nic-driver", "cnode");
    call("nic-driver", root, "CNodeDelete", [root, 64]);
    expect(call("nic-driver", root, "CNodeDelete", [root, 64])).toEqual({ error: "seL4_InvalidCapability", words: [0n] });
    expect(slotOfCptr(kernel, 0, BigInt(slotOf(booted, "nic-driver", "cb")))).toBeGreaterThan(0);
  });

  it("lists every label once, in declared order", () => {
    expect(labels).toEqual(invocations.map(({ label }) => label));
  });
});
