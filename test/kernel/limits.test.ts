/** How many streams, banks and users of one VSpace a kernel of each profile has, and what lies outside a scaled state. */
import { describe, expect, it } from "vitest";
import { entriesFor } from "../../src/kernel/plan.ts";
import { cofferdam, type Profile } from "../../src/kernel/profile.ts";
import { open } from "./emitted.ts";
import { bootOf, run, slotOf, twoPages } from "./fixture.ts";

const firstState = (banks: number): string => `
first-state: limits
components:
  root:
    radix: 12
    cspace:
      2: cnode
      12: sid-control
      13: cb-control
      30: { vspace: shared, asid: 7 }
${Array.from({ length: banks }, (_, bank) => `      ${bank + 100}: { cb: ${bank} }`).join("\n")}
`;

describe("numbers of streams and banks", () => {
  const TX2 = ["RangeError 0x0 0x7f", "RangeError 0x0 0x3f"];
  const SMMUV3 = ["RangeError 0x0 0xffff", "RangeError 0x0 0xfffe"];
  const limits: readonly (readonly [profile: string, stream: number, bank: number, refused: readonly string[]])[] = [
    ["cofferdam", 0x10000, 0xffff, SMMUV3],
    ["smmuv3-talk", 0x10000, 0xffff, SMMUV3],
    ["sel4-smmuv2", 128, 64, TX2],
    ["sel4-smmuv2-indexing", 128, 64, TX2],
    ["sel4-smmuv2-el1", 128, 64, TX2],
  ];
  it.each(limits)("%s: the first that is refused, and the last that is not", (profile, stream, bank, refused) => {
    const { say } = open(profile, firstState(0));
    expect([say(`12 ARMSIDIssueSIDManager ${stream} 0x40 64 + 2`), say(`13 ARMCBIssueCBManager ${bank} 0x40 64 + 2`)]).toEqual(refused);
    expect([say(`12 ARMSIDIssueSIDManager ${stream - 1} 0x40 64 + 2`), say(`13 ARMCBIssueCBManager ${bank - 1} 0x41 64 + 2`)]).toEqual(["NoError", "NoError"]);
  });
});

it("a StreamID of a masked stream that lies beyond the stream table has no entry", () => {
  const { say, steps } = open("cofferdam", "first-state: masked\nstream-bits: 4\ncomponents:\n  root:\n    cspace:\n      20: { sid: 0, mask: 0x10 }\n      22: { cb: 0 }\n      30: { vspace: own, asid: 7 }\n");
  expect([say("22 ARMCBAssignVspace + 30"), say("20 ARMSIDBindCB + 22")]).toEqual(["NoError", "NoError"]);
  expect(new Set(steps().flatMap((text) => /STE\[(0x[0-9a-f]+)\]/u.exec(text)?.[1] ?? []))).toEqual(new Set(["0x0"]));
});

describe("banks of one VSpace", () => {
  const assigned = (profile: string, banks: number) => {
    const opened = open(profile, firstState(banks));
    return { ...opened, answers: Array.from({ length: banks }, (_, bank) => opened.say(`${bank + 100} ARMCBAssignVspace + 30`)) };
  };
  // Design D7 (e): seL4's count has eight bits (structures.bf asid_map_vspace.bind_cb).
  it("are 255 at most; one that is unassigned makes room", () => {
    const { answers, say } = assigned("cofferdam", 256);
    expect(new Set(answers.slice(0, 255))).toEqual(new Set(["NoError"]));
    expect(answers[255]).toBe("DeleteFirst");
    expect([say("100 ARMCBUnassignVspace"), say("355 ARMCBAssignVspace + 30"), say("100 ARMCBAssignVspace + 30")]).toEqual(["NoError", "NoError", "DeleteFirst"]);
  });

  it("wrap upstream's count at 256, and one fewer does not", () => {
    const counted = (banks: number): number => {
      const { answers, kernel } = assigned("smmuv3-talk", banks);
      expect(new Set(answers)).toEqual(new Set(["NoError"]));
      return kernel.tables.asid.at(kernel.tables.vspace.at(0).asid).banks;
    };
    expect([counted(255), counted(256), counted(257)]).toEqual([255, 0, 1]);
  });
});

describe("of two refusals that hold, the first answers", () => {
  // untyped.c decodeUntypedInvocation: the number of objects, then the window, then its slots.
  it("Retype", () => {
    const { say } = open("cofferdam", "first-state: order\ncomponents:\n  root:\n    radix: 4\n    cspace:\n      2: cnode\n      3: { untyped: 20 }\n");
    expect(["15 257", "2 15", "2 14"].map((window) => say(`3 UntypedRetype 7 0 0 0 ${window} + 2`))).toEqual(["RangeError 0x1 0x100", "RangeError 0x1 0xe", "DeleteFirst"]);
  });
  it("BindCB: a bank of another SMMU, then a stream that is bound", () => {
    const { say } = open("cofferdam", "first-state: order\nsmmus: 2\ncomponents:\n  root:\n    cspace:\n      20: { sid: 5 }\n      22: { cb: 0 }\n      23: { cb: 0, smmu: 1 }\n      30: { vspace: own, asid: 7 }\n");
    expect(["22 ARMCBAssignVspace + 30", "23 ARMCBAssignVspace + 30", "20 ARMSIDBindCB + 22"].map(say)).toEqual(["NoError", "NoError", "NoError"]);
    expect([say("20 ARMSIDBindCB + 23"), say("20 ARMSIDBindCB + 22")]).toEqual(["InvalidCapability 0x1", "DeleteFirst"]);
  });
});

describe("a scaled state", () => {
  const refused = (error: string, ...words: bigint[]) => ({ error, words });
  const SPARE = 7;
  const booted = (profile: Profile = cofferdam) => {
    const running = run(bootOf("one-driver", {}, profile, twoPages));
    return { ...running, at: (component: string, name: string) => slotOf(running.booted, component, name) };
  };

  it("has no streams, banks and addresses but those of its layout", () => {
    const { call, at, steps } = booted();
    const root = at("initialiser", "cnode");
    const issue = (control: string, label: string) => call("initialiser", at("initialiser", control), label, [0x77, SPARE, 64], [root]);
    expect(issue("sid_control", "ARMSIDIssueSIDManager")).toEqual(refused("seL4_InvalidArgument", 0n));
    expect(issue("cb_control", "ARMCBIssueCBManager")).toEqual(refused("seL4_InvalidArgument", 0n));
    call("nic-driver", at("nic-driver", "heap_untyped"), "UntypedRetype", [9, 0, 0, 0, SPARE, 1], [at("nic-driver", "cnode")]);
    expect(call("nic-driver", SPARE, "ARMPageTableMap", [0x1_2345_6000n, 3], [at("nic-driver", "vspace")])).toEqual(refused("seL4_InvalidArgument", 0n));
    expect(steps).toEqual([]);
  });

  it("has the guards of its root CNodes and none at all; another is refused where a capability takes it", () => {
    const { call, at } = booted();
    const root = at("nic-driver", "cnode");
    const mint = (data: number) => call("nic-driver", root, "CNodeMint", [SPARE, 64, root, 64, 15, data], [root]);
    expect(mint(59)).toEqual(refused("seL4_InvalidArgument", 5n));
    expect(mint((1 << 6) | 60)).toEqual(refused("seL4_InvalidArgument", 5n));
    expect(mint(61)).toEqual(refused("seL4_IllegalOperation"));
    expect(call("nic-driver", root, "CNodeMutate", [SPARE, 64, root, 64, 59], [root])).toEqual(refused("seL4_InvalidArgument", 4n));
    const [cb, rotate] = [at("nic-driver", "cb"), (pivot: number, source: number, dest: readonly number[]) => call("nic-driver", root, "CNodeRotate", [SPARE, 64, dest[0]!, pivot, 64, dest[1]!, source, 64], [root, root])];
    expect([rotate(cb, root, [0, 59]), rotate(root, cb, [59, 0])]).toEqual([refused("seL4_InvalidArgument", 5n), refused("seL4_InvalidArgument", 2n)]);
    expect(mint(60)).toEqual({ error: "seL4_NoError", words: [] });
  });

  it("makes no objects and fills no slots that it has not: refused, and nothing is handed out", () => {
    const { call, at, steps } = booted();
    const root = at("nic-driver", "cnode");
    const retype = (type: number, bits: number, index: number, count = 1) => call("nic-driver", at("nic-driver", "heap_untyped"), "UntypedRetype", [type, bits, 0, 0, index, count], [root]);
    expect([retype(2, 0, SPARE), retype(4, 1, SPARE), retype(0, 12, SPARE)]).toEqual([1, 2, 3].map(() => refused("seL4_InvalidArgument", 0n)));
    expect(retype(7, 0, 15)).toEqual(refused("seL4_InvalidArgument", 4n));
    expect(retype(7, 0, SPARE, 2)).toEqual(refused("seL4_InvalidArgument", 4n));
    expect(steps).toEqual([]);
    expect(retype(7, 0, SPARE)).toEqual({ error: "seL4_NoError", words: [] });
  });

  it("counts as below an entry what its table translates, and nothing beside it", () => {
    const GIB = 1n << 30n;
    const { entries, below, entryAt } = entriesFor(2, [0n, 0x1000n, 0x20_0000n, GIB]);
    const told = (row: number) => below(row).map((at) => `${entries[at]!.vspace} L${entries[at]!.level} 0x${entries[at]!.address.toString(16)}`);
    expect(told(entryAt(0, 2, 0))).toEqual(["0 L3 0x0", "0 L3 0x1000"]);
    expect(told(entryAt(1, 1, 2))).toEqual(["1 L2 0x0", "1 L2 0x200000", "1 L3 0x0", "1 L3 0x1000", "1 L3 0x200000"]);
    expect(told(entryAt(1, 1, 3))).toEqual(["1 L2 0x40000000", "1 L3 0x40000000"]);
    expect(told(entryAt(0, 3, 1))).toEqual([]);
  });
});
