/**
 * The kernel's invocations against seL4's interface description: the committed table (specs/sel4/interface.ts), made by
 * tools/sel4-interface from seL4's XML files, and what may differ from it (tools/sel4-interface/differences.ts).
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errors } from "../../specs/sel4/error.ts";
import * as committed from "../../specs/sel4/interface.ts";
import { kinds } from "../../src/kernel/capability.ts";
import { wordCount } from "../../src/kernel/invocation.ts";
import { invocations } from "../../src/kernel/invocations.ts";
import { type Definition, definitionDiffers, definitionFindings, errorFindings, type Known, tableFindings, wordsNamed } from "../../tools/sel4-interface/compare.ts";
import { differences, forms, notInSel4, notModelled } from "../../tools/sel4-interface/differences.ts";
import { errorNumbersOf, interfaceOf, type SourceFile } from "../../tools/sel4-interface/table.ts";

const { methods } = committed;
const method = (label: string) => methods.find((candidate) => candidate.label === label)!;
const definitions: readonly Definition[] = invocations.map((definition) => ({ ...definition, object: kinds[definition.object]! }));

/** As the C compiler numbers the enumerations of seL4's invocation_header_gen.py in our configuration, from 1. */
const labelsOfHeader = (
  "UntypedRetype TCBReadRegisters TCBWriteRegisters TCBCopyRegisters TCBConfigure TCBSetPriority TCBSetMCPriority TCBSetSchedParams TCBSetIPCBuffer " +
  "TCBSetSpace TCBSuspend TCBResume TCBBindNotification TCBUnbindNotification TCBSetTLSBase TCBSetFlags CNodeRevoke CNodeDelete CNodeCancelBadgedSends " +
  "CNodeCopy CNodeMint CNodeMove CNodeMutate CNodeRotate CNodeSaveCaller IRQIssueIRQHandler IRQAckIRQ IRQSetIRQHandler IRQClearIRQHandler DomainSetSet " +
  "DomainScheduleConfigure DomainScheduleSetStart ARMVSpaceClean_Data ARMVSpaceInvalidate_Data ARMVSpaceCleanInvalidate_Data ARMVSpaceUnify_Instruction " +
  "ARMSMCCall ARMPageTableMap ARMPageTableUnmap ARMPageMap ARMPageUnmap ARMPageClean_Data ARMPageInvalidate_Data ARMPageCleanInvalidate_Data " +
  "ARMPageUnify_Instruction ARMPageGetAddress ARMASIDControlMakePool ARMASIDPoolAssign ARMVCPUSetTCB ARMVCPUInjectIRQ ARMVCPUReadReg ARMVCPUWriteReg " +
  "ARMVCPUAckVPPI ARMIRQIssueIRQHandlerTrigger ARMIRQIssueSGISignal ARMSIDIssueSIDManager ARMSIDGetFault ARMSIDClearFault ARMSIDBindCB ARMSIDUnbindCB " +
  "ARMCBIssueCBManager ARMCBTLBInvalidateAll ARMCBAssignVspace ARMCBUnassignVspace ARMCBTLBInvalidate ARMCBGetFault ARMCBClearFault"
).split(" ");

describe("the committed table", () => {
  it("numbers labels as seL4's generated header does", () => {
    expect(methods.map(({ label }) => label)).toEqual(labelsOfHeader);
    expect(methods.map(({ number }) => number)).toEqual(labelsOfHeader.map((_, at) => at + 1));
  });

  it("is of our configuration, from four files", () => {
    expect(committed.configuration.on).toEqual(["CONFIG_ARM_HYPERVISOR_SUPPORT", "CONFIG_ARM_SMMU"]);
    expect(committed.sources.map(({ path }) => path.split("/").at(-1))).toEqual(["object-api-arch.xml", "object-api.xml", "errors.h", "object-api-sel4-arch.xml"]);
    for (const { sha256 } of committed.sources) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(committed.leftOut.map(({ label }) => label)).toContain("ARMPageMapIO");
    expect(method("ARMSIDBindCB").condition).toBe("CONFIG_ARM_SMMU");
  });

  // As seL4's syscall_stub_gen.py packs them: (virq & 0xffff) | priority << 16 | group << 24 | index << 32, and so on.
  it("puts small parameters into one word, as seL4's stubs do", () => {
    expect(method("ARMVCPUInjectIRQ").in).toEqual([
      { name: "virq", type: "seL4_Uint16", word: 0, bits: [15, 0] },
      { name: "priority", type: "seL4_Uint8", word: 0, bits: [23, 16] },
      { name: "group", type: "seL4_Uint8", word: 0, bits: [31, 24] },
      { name: "index", type: "seL4_Uint8", word: 0, bits: [39, 32] },
    ]);
    expect(method("TCBCopyRegisters").in.slice(-2)).toEqual([
      { name: "transfer_integer", type: "seL4_Bool", word: 0, bits: [3, 3] },
      { name: "arch_flags", type: "seL4_Uint8", word: 0, bits: [15, 8] },
    ]);
    expect(method("CNodeRotate").in.map((parameter) => ("cap" in parameter ? `cap ${parameter.cap}` : parameter.word))).toEqual([0, 1, 2, "cap 0", 3, 4, 5, "cap 1", 6, 7]);
  });

  it("says what comes back, and when what is refused", () => {
    expect(method("ARMSIDGetFault").out.map(({ name, word }) => [name, word])).toEqual([["status", 0], ["syndrome_0", 1], ["syndrome_1", 2]]);
    expect(method("ARMSIDBindCB").errors).toContainEqual({ error: "seL4_DeleteFirst", when: "The `_service` is already bound to a context bank." });
  });
});

describe("the kernel's invocations", () => {
  it("differ from seL4's in nothing that is not listed, and lack nothing that is not listed", () => {
    expect(definitionFindings(definitions, methods)).toEqual([]);
  });

  it("errors have seL4's numbers", () => {
    expect(errorFindings(errors, committed.errorNumbers)).toEqual([]);
  });

  it("arguments stand for as many words as the kernel counts", () => {
    for (const { words } of invocations) for (const argument of words) expect(wordsNamed(argument), argument.name).toHaveLength(wordCount(argument));
  });

  it("every entry of the lists has its reason", () => {
    for (const { why } of [...differences, ...notModelled, ...notInSel4, ...Object.values(forms)]) expect(why.length).toBeGreaterThan(20);
  });
});

describe("the comparison", () => {
  const none: Known = { differences: [], notModelled: [], notInSel4: [] };
  const bind: Definition = { label: "ARMSIDBindCB", object: "sid", caps: [{ name: "cb", of: "cb" }], words: [] };
  const map: Definition = {
    label: "ARMPageMap",
    object: "frame",
    caps: [{ name: "vspace", of: "vspace" }],
    words: [{ name: "vaddr", of: "address" }, { name: "rights", of: "rights" }, { name: "attr", of: "attributes" }],
  };
  const copy: Definition = {
    label: "CNodeCopy",
    object: "cnode",
    caps: [{ name: "src_root", of: "cnode" }],
    words: [{ name: "dest_index", of: "emptySlot" }, { name: "src_index", of: "fullSlot" }, { name: "rights", of: "rights" }],
  };
  const told = (definition: Definition): string[] => definitionDiffers(definition, methods).map(({ at, ours, theirs }) => `${at}: ${ours}, ${theirs}`);

  it("finds nothing in definitions that are seL4's", () => {
    expect([bind, map, copy].flatMap(told)).toEqual([]);
  });

  const [address, rights, attributes] = map.words as [Definition["words"][0], Definition["words"][0], Definition["words"][0]];
  it.each<[string, Definition, string[]]>([
    ["a label that seL4 lacks", { ...bind, label: "ARMSIDBind" }, ["label: ARMSIDBind, nothing"]],
    ["another object", { ...bind, object: "cb" }, ["object: cb, seL4_ARM_SID"]],
    ["an argument of another name", { ...map, words: [{ ...address, name: "iova" }, rights, attributes] }, ["words[0]: iova, vaddr"]],
    ["words in another order", { ...map, words: [rights, address, attributes] }, ["words[0]: rights, vaddr", "words[1]: vaddr, rights"]],
    ["a word too few", { ...map, words: [address, rights] }, ["words[2]: nothing, attr"]],
    ["a word too many", { ...bind, words: [{ name: "flags", of: "count" }] }, ["words[0]: flags, nothing"]],
    ["a word of another type", { ...map, words: [address, { ...rights, of: "count" }, attributes] }, ["words[1] type: word, seL4_CapRights_t"]],
    ["rights that seL4 takes as a plain word", { ...map, words: [{ ...address, of: "rights" }, rights, attributes] }, ["words[0] type: rights, seL4_Word"]],
    ["a capability too few", { ...bind, caps: [] }, ["caps[0]: nothing, cb"]],
    ["a capability where seL4 has a word", { ...map, caps: [...map.caps, { name: "attr", of: "cb" }], words: [address, rights] }, ["caps[1]: attr, nothing", "words[2]: nothing, attr"]],
    ["a capability of another type", { ...copy, caps: [{ name: "src_root", of: "vspace" }] }, ["caps[0] type: vspace, seL4_CNode"]],
    ["a slot address that is one word", { ...copy, words: [{ name: "dest_index", of: "count" }, ...copy.words.slice(1)] }, ["words[1]: src_index, dest_depth", "words[2]: src_depth, src_index", "words[3]: rights, src_depth", "words[4]: nothing, rights"]],
  ])("finds %s", (_, definition, findings) => {
    expect(told(definition)).toEqual(findings);
  });

  it("takes a listed difference, and finds one that is listed and is none", () => {
    const renamed: Definition = { ...bind, caps: [{ name: "bank", of: "cb" }] };
    const known: Known = { ...none, differences: [{ label: "ARMSIDBindCB", at: "caps[0]", ours: "bank", theirs: "cb", why: "a reason" }] };
    const only = [method("ARMSIDBindCB")];
    expect(definitionFindings([renamed], only, known)).toEqual([]);
    expect(definitionFindings([renamed], only, none)).toEqual(["differs: ARMSIDBindCB caps[0]: bank, in seL4 cb"]);
    expect(definitionFindings([bind], only, known)).toEqual(["listed as a difference, and is none: ARMSIDBindCB caps[0]: bank, in seL4 cb"]);
  });

  it("finds methods that are neither defined nor listed, or listed and defined, twice, or unknown", () => {
    const two = [method("ARMSIDBindCB"), method("ARMSIDUnbindCB")];
    const lacking = (...labels: string[]): Known => ({ ...none, notModelled: [{ why: "a reason", labels }] });
    expect(definitionFindings([bind], two, lacking("ARMSIDUnbindCB"))).toEqual([]);
    expect(definitionFindings([bind], two, none)).toEqual(["ARMSIDUnbindCB is neither defined nor listed as not modelled"]);
    expect(definitionFindings([bind], two, lacking("ARMSIDUnbindCB", "ARMSIDBindCB"))).toEqual(["ARMSIDBindCB is listed as not modelled, and is defined"]);
    expect(definitionFindings([bind], two, lacking("ARMSIDUnbindCB", "ARMSIDUnbindCB"))).toEqual(["ARMSIDUnbindCB is listed twice as not modelled"]);
    expect(definitionFindings([bind], two, lacking("ARMSIDUnbindCB", "ARMSIDGone"))).toEqual(["ARMSIDGone is listed as not modelled, and seL4 has no such method"]);
  });

  it("takes a listed addition, and finds one that seL4 has or that is not there", () => {
    const added: Definition = { ...bind, label: "ARMCBAssignCDTable", object: "cb" };
    const adding = (...labels: string[]): Known => ({ ...none, notInSel4: labels.map((label) => ({ label, why: "a reason" })) });
    const only = [method("ARMSIDBindCB")];
    expect(definitionFindings([bind, added], only, adding("ARMCBAssignCDTable"))).toEqual([]);
    expect(definitionFindings([bind, added], only, none)).toEqual(["differs: ARMCBAssignCDTable label: ARMCBAssignCDTable, in seL4 nothing"]);
    expect(definitionFindings([bind], only, adding("ARMCBAssignCDTable", "ARMSIDBindCB"))).toEqual([
      "ARMSIDBindCB is listed as an addition, and seL4 has it",
      "ARMCBAssignCDTable is listed as an addition, and is not defined",
    ]);
  });

  it("finds an error of another number, and one that either side lacks", () => {
    expect(errorFindings({ seL4_NoError: { number: 0 }, seL4_RangeError: { number: 5 }, seL4_Ours: { number: 9 } }, { seL4_NoError: 0, seL4_RangeError: 4, seL4_Theirs: 1 })).toEqual([
      "seL4_RangeError is 5, in seL4 4",
      "seL4_Ours is 9, in seL4 not defined",
      "seL4_Theirs is not defined, in seL4 1",
    ]);
  });

  it("tells what another version of seL4 says otherwise", () => {
    const [first, ...rest] = methods as [(typeof methods)[0], ...typeof methods];
    const changed = { ...first, in: first.in.map((parameter) => ({ ...parameter, name: parameter.name.replace("num_", "") })) };
    expect(tableFindings(committed, committed)).toEqual([]);
    expect(tableFindings(committed, { ...committed, methods: [changed, ...rest.slice(0, -1), { ...first, label: "UntypedNew" }] })).toEqual([
      'UntypedRetype.in[6]: {"name":"objects","type":"seL4_Word","word":5}, committed {"name":"num_objects","type":"seL4_Word","word":5}',
      "ARMCBClearFault is committed, and the files lack it",
      "UntypedNew is new: the committed table lacks it",
    ]);
  });
});

/** A description of one method, or more, in one of the three files. */
const api = (prefix: string, body: string): SourceFile => ({ path: `${prefix}api.xml`, text: `<?xml version="1.0"?><api name="A"${prefix === "" ? "" : ` label_prefix="${prefix}"`}>${body}</api>` });
const methodText = (id: string, inside = "", attributes = ""): string => `<interface name="seL4_Thing"><method id="${id}" name="Do"${attributes}>${inside}</method></interface>`;
const when = (condition: string): string => `<condition>${condition}</condition>`;
const config = (name: string): string => `<config var="CONFIG_${name}"/>`;
const header: SourceFile = { path: "errors.h", text: "typedef enum { /* none */ seL4_NoError = 0,\n seL4_Odd, // odd\n seL4_Late = 7, seL4_NumErrors } seL4_Error;" };
const files = (generic: string, aarch64 = "", arm = ""): SourceFile[] => [api("arm_", arm), api("", generic), header, api("aarch64_", aarch64)];

describe("the table, derived from descriptions", () => {
  it("numbers labels generic first, then aarch64's, then Arm's, without those that the configuration leaves out", () => {
    const table = interfaceOf(files(methodText("A") + methodText("B", when(config("KERNEL_MCS"))), methodText("C"), methodText("D") + methodText("E", when(config("ARM_SMMU")))));
    expect(table.methods.map(({ label, number, condition }) => [label, number, condition])).toEqual([["A", 1, undefined], ["C", 2, undefined], ["D", 3, undefined], ["E", 4, "CONFIG_ARM_SMMU"]]);
    expect(table.leftOut).toEqual([{ label: "B", condition: "CONFIG_KERNEL_MCS" }]);
  });

  it.each<[string, string, boolean]>([
    [config("ARM_SMMU"), "CONFIG_ARM_SMMU", true],
    [`<not>${config("ARM_SMMU")}</not>`, "!CONFIG_ARM_SMMU", false],
    [`<and>${config("ARM_SMMU")}<not>${config("KERNEL_MCS")}</not></and>`, "(CONFIG_ARM_SMMU && !CONFIG_KERNEL_MCS)", true],
    [`<and>${config("ARM_SMMU")}${config("KERNEL_MCS")}</and>`, "(CONFIG_ARM_SMMU && CONFIG_KERNEL_MCS)", false],
    [`<or>${config("KERNEL_MCS")}${config("ARM_SMMU")}</or>`, "(CONFIG_KERNEL_MCS || CONFIG_ARM_SMMU)", true],
    [`<or>${config("KERNEL_MCS")}${config("TK1_SMMU")}</or>`, "(CONFIG_KERNEL_MCS || CONFIG_TK1_SMMU)", false],
  ])("decides %s", (condition, text, holds) => {
    const { methods: kept, leftOut } = interfaceOf(files(methodText("A", when(condition))));
    expect([kept.map((each) => each.condition), leftOut.map((each) => each.condition)]).toEqual(holds ? [[text], []] : [[], [text]]);
  });

  it("takes the variant of a label that the configuration has", () => {
    const variants = methodText("A", `${when(config("KERNEL_MCS"))}<param dir="in" name="x" type="seL4_Word"/>`) + methodText("A", `${when(`<not>${config("KERNEL_MCS")}</not>`)}<param dir="in" name="y" type="seL4_Word"/>`);
    const table = interfaceOf(files(variants));
    expect(table.methods.map((each) => each.in)).toEqual([[{ name: "y", type: "seL4_Word", word: 0 }]]);
    expect(table.leftOut).toEqual([]);
  });

  it("places parameters: capabilities apart, small ones aligned to their size, structures on a word", () => {
    const param = (name: string, type: string, dir = "in"): string => `<param dir="${dir}" name="${name}" type="${type}"/>`;
    const body = [["a", "seL4_Bool"], ["b", "seL4_Uint16"], ["c", "seL4_Thing"], ["d", "seL4_Uint8"], ["e", "seL4_Pair"], ["f", "seL4_CPtr"], ["g", "seL4_Uint8"]].map(([name, type]) => param(name!, type!)).join("");
    const table = interfaceOf(files(`<struct name="seL4_Pair"><member name="x"/><member name="y"/></struct>${methodText("A", body + param("h", "seL4_Word", "out"))}`));
    expect(table.methods[0]!.in).toEqual([
      { name: "a", type: "seL4_Bool", word: 0, bits: [0, 0] },
      { name: "b", type: "seL4_Uint16", word: 0, bits: [31, 16] },
      { name: "c", type: "seL4_Thing", cap: 0 },
      { name: "d", type: "seL4_Uint8", word: 0, bits: [39, 32] },
      { name: "e", type: "seL4_Pair", word: 1, members: ["x", "y"] },
      { name: "f", type: "seL4_CPtr", cap: 1 },
      { name: "g", type: "seL4_Uint8", word: 3, bits: [7, 0] },
    ]);
    expect(table.methods[0]!.out).toEqual([{ name: "h", type: "seL4_Word", word: 0 }]);
  });

  it("keeps the manual's words on errors, without its references", () => {
    const inside = '<error name="seL4_Odd" description="Plain."/><error name="seL4_Odd"><description>The <texttt text="x"/> of <obj name="TCB"/>\n   is bad <docref>(see <autoref label="l"/>)</docref>.</description></error>';
    expect(interfaceOf(files(methodText("A", inside))).methods[0]!.errors.map((each) => each.when)).toEqual(["Plain.", "The `x` of TCB is bad."]);
  });

  it("numbers errors as C does", () => {
    expect(errorNumbersOf(header.path, header.text)).toEqual({ seL4_NoError: 0, seL4_Odd: 1, seL4_Late: 7 });
  });

  it.each<[string, readonly SourceFile[], RegExp]>([
    ["XML that is none", files("<interface>"), /^api\.xml:1:\d+: /],
    ["another kind of XML", [...files("").slice(1), { path: "x.xml", text: "<svg/>" }], /x\.xml is no interface description: its root is <svg>/],
    ["another architecture", [...files("").slice(1), api("x86_", "")], /another architecture: its label_prefix is x86_/],
    ["a file too few", files("").slice(1), /no file describes the arm methods/],
    ["a file twice", [...files(""), api("arm_", "")], /two files describe the arm methods/],
    ["no errors.h", files("").filter(({ path }) => path !== "errors.h"), /one errors\.h is wanted/],
    ["an errors.h without the enumeration", [...files("").filter(({ path }) => path !== "errors.h"), { path: "errors.h", text: "" }], /no enumeration seL4_Error/],
    ["a variable that nobody has decided", files(methodText("A", when(config("NEW")))), /no decision is known for CONFIG_NEW/],
    ["a condition of two", files(methodText("A", when(config("ARM_SMMU") + config("ARM_SMMU")))), /<condition> takes one condition, not 2/],
    ["a type of unknown size", files(methodText("A", '<param dir="in" name="x" type="seL4_New"/>')), /the size of seL4_New \(parameter x\) is not known/],
    ["a direction that is none", files(methodText("A", '<param dir="inout" name="x" type="seL4_Word"/>')), /A has a parameter of direction inout/],
    ["a label twice", files(methodText("A") + methodText("A")), /A stands twice/],
  ])("refuses %s", (_, given, message) => {
    expect(() => interfaceOf(given)).toThrow(message);
  });

  it("lets a label stand twice where the description says so", () => {
    expect(interfaceOf(files(methodText("A") + methodText("A", "", ' duplicate="true"') + methodText("B"))).methods.map(({ number }) => number)).toEqual([1, 1, 2]);
  });
});

describe("tools/sel4-interface", () => {
  const run = (...words: string[]) => spawnSync(process.execPath, [join(import.meta.dirname, "../../tools/sel4-interface/main.ts"), ...words], { encoding: "utf8" });

  it("--check tells differences and exits 1; bad input exits 2 with a sentence", () => {
    const folder = mkdtempSync(join(tmpdir(), "cofferdam-interface-"));
    try {
      const paths = files(methodText("Alien")).map(({ path, text }) => {
        writeFileSync(join(folder, path), text);
        return join(folder, path);
      });
      const differs = run("--check", ...paths);
      expect(differs.status).toBe(1);
      expect(differs.stdout).toContain("Alien is new: the committed table lacks it");
      expect(differs.stdout).toContain("UntypedRetype is committed, and the files lack it");
      expect(differs.stdout).toContain("note: libsel4/errors.h has other bytes");
      const wrong = run("--check", folder);
      expect([wrong.status, wrong.stdout]).toEqual([2, ""]);
      expect(wrong.stderr).toMatch(/is no libsel4 of seL4: .*object-api\.xml is missing/);
      expect(run("--check", join(folder, "absent.xml")).status).toBe(2);
      expect(run().status).toBe(2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
