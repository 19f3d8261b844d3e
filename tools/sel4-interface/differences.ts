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

/** One parameter that is named, placed or typed otherwise. */
export const differences: readonly (Difference & { readonly why: string })[] = [];

/** Definitions that seL4 has no method for. */
export const notInSel4: readonly { readonly label: string; readonly why: string }[] = [];

/** Methods of this configuration that the kernel has no definition of; an entry goes when its method gets one. */
export const notModelled: readonly { readonly why: string; readonly labels: readonly string[] }[] = [
  { why: "a thread's registers are no state of this model", labels: ["TCBReadRegisters", "TCBWriteRegisters", "TCBCopyRegisters", "TCBSetTLSBase", "TCBSetFlags"] },
  {
    why: "not defined yet: threads and what they wait for",
    labels: [
      "TCBConfigure",
      "TCBSetPriority",
      "TCBSetMCPriority",
      "TCBSetSchedParams",
      "TCBSetIPCBuffer",
      "TCBSetSpace",
      "TCBSuspend",
      "TCBResume",
      "TCBBindNotification",
      "TCBUnbindNotification",
      "CNodeCancelBadgedSends",
      "CNodeSaveCaller",
    ],
  },
  {
    why: "not defined yet: interrupts",
    labels: ["IRQIssueIRQHandler", "IRQAckIRQ", "IRQSetIRQHandler", "IRQClearIRQHandler", "ARMIRQIssueIRQHandlerTrigger", "ARMIRQIssueSGISignal"],
  },
  { why: "time is not modelled, so there is one domain", labels: ["DomainSetSet", "DomainScheduleConfigure", "DomainScheduleSetStart"] },
  { why: "virtual CPUs are not modelled", labels: ["ARMVCPUSetTCB", "ARMVCPUInjectIRQ", "ARMVCPUReadReg", "ARMVCPUWriteReg", "ARMVCPUAckVPPI"] },
  { why: "CONFIG_ALLOW_SMC_CALLS is off, so nobody has the capability; its label is there all the same", labels: ["ARMSMCCall"] },
];
