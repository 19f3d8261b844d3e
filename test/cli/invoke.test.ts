/** `cofferdam invoke` and `cofferdam hazards` as a user runs them. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "cofferdam-invoke-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]) => spawnSync(process.execPath, [join(root, "src/cli/main.ts"), ...args], { encoding: "utf8", cwd: root, env: { ...process.env, NO_COLOR: "1" } });
const written = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
let lists = 0;
const list = (...lines: readonly (object | string)[]): string => written(`list${lists++}.jsonl`, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
const line = (actor: string, cptr: string, label: string, words: readonly string[] = [], caps: readonly string[] = []) => ({ actor, cptr, label, words, caps });
const answers = (stdout: string): unknown[] =>
  stdout
    .split("\n")
    .filter((text) => text.startsWith('{"'))
    .map((text) => JSON.parse(text) as unknown);

const BOOT = "specs/first-states/boot.yaml";
const DMA = "specs/first-states/dma.yaml";

describe("invoke", () => {
  it("runs the README's example", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const [, example] = /printf '%s\\n' '(\{"actor".*\})' > list\.jsonl/.exec(readme)!;
    const { status, stdout } = run("invoke", BOOT, "--profile", "sel4-smmuv2", "--sequence", list(example!));
    expect([status, stdout]).toEqual([0, '{"error":"seL4_NoError","words":[]}\n']);
  });

  it("answers with seL4's codes and message words", () => {
    const { status, stdout, stderr } = run(
      "invoke", BOOT, "--profile", "sel4-smmuv2", "--sequence",
      list(line("root", "0xd", "ARMCBIssueCBManager", ["0x40", "0x20", "0x40"], ["0x2"]), line("root", "0xd", "ARMCBIssueCBManager", ["0x5", "0x20", "0x40"], ["0x2"]), "", line("root", "0x20", "ARMCBUnassignVspace"), line("root", "0xffff", "ARMCBUnassignVspace")),
    );
    expect([status, stderr]).toEqual([0, ""]);
    expect(answers(stdout)).toEqual([
      { error: "seL4_RangeError", words: ["0x0", "0x3f"] },
      { error: "seL4_NoError", words: [] },
      { error: "seL4_IllegalOperation", words: [] },
      { error: "CapFault", words: [] },
    ]);
  });

  it("passes a capability from one thread to another, but not a control capability", () => {
    const { stdout } = run(
      "invoke", BOOT, "--profile", "sel4-smmuv2", "--sequence",
      list(line("b", "0x2", "recv", ["0xa", "0x40"], ["0x1"]), line("root", "0x1a", "send", ["0x7"], ["0x11"]), line("b", "0xa", "UntypedRetype", ["0x7", "0x0", "0x0", "0x0", "0xb", "0x1"], ["0x1"]), line("b", "0x2", "recv", ["0xc", "0x40"], ["0x1"]), line("root", "0x1a", "send", ["0x8"], ["0xc"])),
    );
    expect(answers(stdout)).toEqual([
      { error: "blocked", words: [] },
      { error: "seL4_NoError", words: [], delivered: { to: "b", badge: "0x0", words: ["0x7"], caps: ["slot"] } },
      { error: "seL4_NoError", words: [] },
      { error: "blocked", words: [] },
      { error: "seL4_NoError", words: [], delivered: { to: "b", badge: "0x0", words: ["0x8"], caps: [] } },
    ]);
  });

  it("afterwards prints bindings, bank counts, the derivation tree and reach", () => {
    const mapped = ["0xa", "0xb", "0xc"].map((table) => line("driver", table, "ARMPageTableMap", ["0x10000000", "0x3"], ["0x5"]));
    const connected = [...mapped, line("driver", "0x10", "ARMPageMap", ["0x10000000", "0x3", "0x3"], ["0x5"]), line("driver", "0x15", "ARMCBAssignVspace", [], ["0x5"]), line("driver", "0x14", "ARMSIDBindCB", [], ["0x15"])];
    const { stdout } = run("invoke", DMA, "--profile", "sel4-smmuv2", "--sequence", list(...connected), "--state");
    const state = JSON.parse(stdout.slice(stdout.indexOf("{\n"))) as Record<string, unknown[]>;
    expect(state["bindings"]).toEqual([{ smmu: 0, sid: "0x10", cb: "0x0", vspace: "vspace first" }]);
    expect(state["vspaces"]).toEqual([{ name: "vspace first", asid: 512, live: true, banks: 1 }, { name: "vspace second", banks: 0 }]);
    expect(state["reach"]).toMatchObject([{ smmu: 0, sid: "0x10", targets: [{ iova: "0x10000000", size: "0x1000", access: "rw" }] }]);
    expect(state["capabilities"]).toContainEqual(expect.objectContaining({ slot: "CBNode[bank 0]", kind: "vspace", parent: "driver[0x5]" }));
  });

  it("stops for good where the kernel does, and says so", () => {
    const gone = [line("driver", "0x15", "ARMCBAssignVspace", [], ["0x5"]), line("driver", "0x1", "CNodeDelete", ["0x4", "0x40"]), line("driver", "0x15", "ARMCBUnassignVspace"), line("other", "0x1", "CNodeDelete", ["0x2", "0x40"])];
    const errors = (profile: string) => answers(run("invoke", DMA, "--profile", profile, "--sequence", list(...gone)).stdout).map((answer) => (answer as { error: string }).error);
    expect(errors("sel4-smmuv2")).toEqual(["seL4_NoError", "seL4_NoError", "halted", "halted"]);
    // The pool's deletion takes the VSpace from the bank first.
    expect(errors("cofferdam")).toEqual(["seL4_NoError", "seL4_NoError", "seL4_IllegalOperation", "seL4_NoError"]);
  });

  it("runs a system spec, with its components as actors", () => {
    const { status, stdout } = run("invoke", "specs/systems/one-driver/system.yaml", "--sequence", list(line("nic-driver", "0x3", "ARMCBAssignVspace", [], ["0x4"]), line("nic-driver", "0x3", "ARMCBAssignVspace", [], ["0x4"])));
    expect(status).toBe(0);
    expect(answers(stdout)).toEqual([{ error: "seL4_NoError", words: [] }, { error: "seL4_DeleteFirst", words: [] }]);
  });

  it.each([
    ["a line that is not JSON", list("{"), "list"],
    ["a component that is not there", list(line("nobody", "0x1", "CNodeDelete")), "nobody"],
    ["a number that is not hex", list({ actor: "root", cptr: "1", label: "CNodeDelete" }), "cptr"],
    ["a field that is not known", list({ actor: "root", cptr: "0x1", label: "CNodeDelete", extra: 1 }), "extra"],
    ["too many capabilities", list(line("root", "0x1", "CNodeDelete", [], ["0x1", "0x1", "0x1", "0x1"])), "caps"],
    ["a list that is not there", join(folder, "none.jsonl"), "none.jsonl"],
  ])("refuses %s, with its place, before anything is run", (_, file, named) => {
    const { status, stdout, stderr } = run("invoke", BOOT, "--sequence", file);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(named);
  });

  it.each([
    ["two objects in a slot", "components: { a: { cspace: { 1: { untyped: 12, sid: 1 } } } }"],
    ["a slot beyond the CNode", "components: { a: { radix: 1, cspace: { 2: cnode } } }"],
    ["an untyped that is not aligned", "components: { a: { cspace: { 1: { untyped: 16, base: 0x1000 } } } }"],
    ["a component that is not there", "components: { a: { cspace: { 1: { thread: b } } } }"],
  ])("refuses a first state with %s", (_, components) => {
    const { status, stdout, stderr } = run("invoke", written("state.yaml", `first-state: x\n${components}\n`), "--sequence", list(line("a", "0x1", "CNodeDelete")));
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/state\.yaml:2/);
  });
});

describe("hazards", () => {
  it("tells one with its trace, and refuses a name that there is not", () => {
    const { status, stdout } = run("hazards", "kernel-halts", "--profile", "sel4-smmuv2");
    expect(status).toBe(0);
    for (const text of ["Read:", "Assumed:", "To try:", "CNodeDelete", "-> halted", "the kernel stops in ARMCBUnassignVspace"]) expect(stdout).toContain(text);
    expect(run("hazards", "nothing").status).toBe(2);
  });

  it("says where there is none that every sequence was tried", () => {
    const [hazard] = JSON.parse(run("hazards", "unassigned-under-bound-stream", "--profile", "cofferdam", "--json").stdout) as { profiles: Record<string, object> }[];
    expect(hazard!.profiles["cofferdam"]).toEqual({ states: 7, longest: 3, exhausted: true });
  });
});
