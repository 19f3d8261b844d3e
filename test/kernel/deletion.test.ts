/**
 * How objects with slots go, and what stays (seL4 src/object/cnode.c `reduceZombie`, `capSwapForDelete`; src/object/
 * objecttype.c `finaliseCap`), told by who waits for something whose last capability was among them.
 */
import { expect, it } from "vitest";
import { openSystem } from "./openSystem.ts";

const firstState = `first-state: deletion
components:
  a:
    cspace:
      1: cnode
      2: { untyped: 14 }
      3: { cnode: b, guard-size: 56 }
      4: { untyped: 14 }
      5: { thread: b }
      6: { asid-pool: 0 }
  b:
    cspace:
      1: cnode
`;
type Lines = readonly (readonly [call: string, answer: string])[];
const agree = (...parts: readonly Lines[]): void => {
  const { say } = openSystem("sel4-smmuv2", firstState);
  for (const lines of parts) expect(lines.map(([call]) => [call, say(call)])).toEqual(lines);
};
const ok = (...calls: string[]): Lines => calls.map((call) => [call, "NoError"] as const);

/** Two notifications of untyped 4 in 0x30 and 0x31, and b waits for the one named, through a capability that is then gone. */
const waitsFor = (bell: string): Lines => [
  ...ok("a 4 UntypedRetype 3 0 0 0 0x30 2 + 1", `a 3 CNodeCopy 9 64 ${bell} 64 15 + 1`),
  ["b 9 wait", "blocked"],
  ...ok("a 3 CNodeDelete 9 64"),
];
/** CNodes of four slots in 0x20 (outer) and 0x21 (inner); the inner one holds the notifications in slots 0 and 1, and stands in slot 2 of the outer. */
const nested = ok(
  "a 2 UntypedRetype 4 2 0 0 0x20 2 + 1",
  "a 0x21 CNodeMove 0 2 0x30 64 + 1",
  "a 0x21 CNodeMove 1 2 0x31 64 + 1",
  "a 0x20 CNodeMove 2 2 0x21 64 + 1",
);
const GONE = "b again: CapFault";

it("a CNode takes what its slots hold with it", () => {
  agree(waitsFor("0x30"), ok("a 2 UntypedRetype 4 2 0 0 0x20 1 + 1", "a 0x20 CNodeMove 3 2 0x30 64 + 1"), [["a 1 CNodeDelete 0x20 64", `NoError ; ${GONE}`]]);
});

it("of a CNode within a CNode that is deleted, only what was in the first slot goes; the rest with the untyped", () => {
  agree(waitsFor("0x30"), nested, [["a 1 CNodeDelete 0x20 64", `NoError ; ${GONE}`]]);
  agree(waitsFor("0x31"), nested, ok("a 1 CNodeDelete 0x20 64"), [
    ["b 9 wait", "blocked"],
    ["a 1 CNodeRevoke 2 64", `NoError ; ${GONE}`],
  ]);
});

it("of a thread within a CNode that is deleted, the VSpace root stays until the untyped is revoked", () => {
  const thread = ok(
    "a 2 UntypedRetype 4 2 0 0 0x20 1 + 1",
    "a 2 UntypedRetype 1 0 0 0 0x21 1 + 1",
    "a 4 UntypedRetype 4 2 0 0 0x22 1 + 1",
    "a 4 UntypedRetype 6 0 0 0 0x23 1 + 1",
    "a 6 ARMASIDPoolAssign + 0x23",
    "a 0x21 TCBSetSpace 0 0 0 + 0x22 0x23",
    "a 1 CNodeDelete 0x23 64",
    "a 0x20 CNodeMove 1 2 0x21 64 + 1",
    "a 1 CNodeDelete 0x20 64",
  );
  const { say, kernel } = openSystem("sel4-smmuv2", firstState);
  const named = () => kernel.tables.asid.some(({ vspace }) => vspace !== -1);
  for (const [call, answer] of thread) expect([call, say(call)]).toEqual([call, answer]);
  expect(named()).toBe(true);
  expect(say("a 1 CNodeRevoke 2 64")).toBe("NoError");
  expect(named()).toBe(false);
});

it("a CNode that is named by itself alone stays until its untyped is revoked, and then its memory is free", () => {
  agree(ok("a 2 UntypedRetype 4 2 0 0 0x20 1 + 1", "a 0x20 CNodeCopy 1 2 0x20 64 15 + 1", "a 1 CNodeDelete 0x20 64", "a 1 CNodeRevoke 2 64", "a 2 UntypedRetype 4 8 0 0 0x20 2 + 1"));
});
