/**
 * Where the kernel's definitions of invocations are otherwise than seL4's interface description, each with its reason.
 * compare.ts refuses a difference that is not here, and an entry that is none any more.
 */
import type { Difference } from "./compare.ts";

/** Arguments of a definition that stand for several words, by class (src/kernel/invocation.ts `WordArgument`). */
export const forms: Readonly<Record<string, { readonly words: (name: string) => readonly string[]; readonly why: string }>> = {
  ...Object.fromEntries(
    ["emptySlot", "fullSlot", "anySlot"].map((of) => [
      of,
      { words: (name: string) => [name, name.replace(/index$/, "depth")], why: "a slot address is one argument, because the two words are chosen together; seL4 describes index and depth apart" },
    ]),
  ),
  window: { words: (name) => [`${name}_index`, `${name}_depth`, `${name}_offset`], why: "Retype's destination is one argument, for the same reason" },
};

/** Interfaces that are not called as the kind of the capability is (src/kernel/capability.ts `kinds`). */
const otherNames: Readonly<Record<string, { readonly interface: string; readonly why: string }>> = {
  frame: { interface: "seL4_ARM_Page", why: "the capability is a frame_cap, its methods are Page's" },
  thread: { interface: "seL4_TCB", why: "the capability is a thread_cap, its methods are TCB's" },
  tcb: { interface: "seL4_TCB", why: "as an argument, a thread_cap is called tcb" },
  domain: { interface: "seL4_DomainSet", why: "the capability is a domain_cap, its methods are DomainSet's" },
};
const initialisms: Readonly<Record<string, string>> = { cnode: "CNode", vspace: "VSpace", pagetable: "PageTable", sid: "SID", cb: "CB", asid: "ASID", irq: "IRQ", vcpu: "VCPU" };
const generic = new Set(["Untyped", "CNode", "IRQControl", "IRQHandler"]);

/** The interface of a kind of capability: `sidControl` is seL4_ARM_SIDControl. */
export const interfaceOfKind = (kind: string): string => {
  const other = otherNames[kind];
  if (other !== undefined) return other.interface;
  const [first, rest] = [/^[a-z]+/.exec(kind)?.[0] ?? "", kind.replace(/^[a-z]+/, "")];
  const whole = initialisms[kind.toLowerCase()];
  const name = whole ?? `${initialisms[first] ?? first.charAt(0).toUpperCase() + first.slice(1)}${rest}`;
  return generic.has(name) ? `seL4_${name}` : `seL4_ARM_${name}`;
};

/** seL4_UserContext in its own order (registerset.c). */
const registers = (
  "pc sp spsr x0 x1 x2 x3 x4 x5 x6 x7 x8 x16 x17 x18 x29 x30 x9 x10 x11 x12 x13 x14 x15 x19 x20 x21 x22 x23 x24 x25 x26 x27 x28 tpidr_el0 tpidrro_el0"
).split(" ");

/** One parameter that is named, placed or typed otherwise. */
export const differences: readonly (Difference & { readonly why: string })[] = registers.map((register, at) => ({
  label: "TCBWriteRegisters",
  at: `words[${at + 2}]`,
  ours: "nothing",
  theirs: `regs.${register}`,
  why: "the message may have fewer registers than there are, as its word `count` says, so none of them is an argument that must be there",
}));

/** Definitions that seL4 has no method for. */
export const notInSel4: readonly { readonly label: string; readonly why: string }[] = [
  ...["ARMSIDGetGlobalerror", "ARMSIDGetEventq", "ARMSIDSkipCmdqError", "ARMSIDClearGlobalerror", "ARMSIDDisableSMMU", "ARMSIDInitSMMU"].map((label) => ({
    label,
    why: "the SMMUv3 port that the seL4 Summit 2023 talk shows adds it to SIDControl; it is in no public source",
  })),
  { label: "ARMCBAssignCDTable", why: "the same port adds it to CB, for a guest's stage 1; it is in no public source" },
];

/** Methods of this configuration that the kernel has no definition of; an entry goes when its method gets one. */
export const notModelled: readonly { readonly why: string; readonly labels: readonly string[] }[] = [
  { why: "time is not modelled, so there is one domain", labels: ["DomainSetSet", "DomainScheduleConfigure", "DomainScheduleSetStart"] },
  { why: "CONFIG_ALLOW_SMC_CALLS is off, so nobody has the capability; its label is there all the same", labels: ["ARMSMCCall"] },
];
