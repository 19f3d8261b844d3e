/**
 * Capabilities as seL4 stores them on aarch64, one core, hypervisor, SMMU on, not MCS: two words each. Field names and
 * widths are seL4's at commit 1326364b. Addresses are canonical to 48 bits; `field_high` and `field_ptr` keep their top
 * bits only (capabilityLayout.ts). Bits that no field names are padding, 0.
 * Source: seL4 include/object/structures_64.bf, include/arch/arm/arch/64/mode/object/structures.bf.
 */
import { layout } from "../../src/base/layout.ts";
import { capabilitiesOf } from "./capabilityLayout.ts";

/** Odd types are the architecture's (`isArchCap`). 22 and 24 are MCS's; 5 and 7 were page directories, until commit cb8ee83f. */
export const capabilityTypes = {
  null_cap: 0,
  frame_cap: 1,
  untyped_cap: 2,
  page_table_cap: 3,
  endpoint_cap: 4,
  notification_cap: 6,
  reply_cap: 8,
  vspace_cap: 9,
  cnode_cap: 10,
  asid_control_cap: 11,
  thread_cap: 12,
  asid_pool_cap: 13,
  irq_control_cap: 14,
  vcpu_cap: 15,
  irq_handler_cap: 16,
  sid_control_cap: 17,
  zombie_cap: 18,
  sid_cap: 19,
  domain_cap: 20,
  cb_control_cap: 21,
  cb_cap: 23,
  smc_cap: 25,
  sgi_signal_cap: 27,
} as const;
export type CapabilityType = keyof typeof capabilityTypes;

const GENERIC = "seL4 include/object/structures_64.bf";
const ARM = "seL4 include/arch/arm/arch/64/mode/object/structures.bf";
const capability = capabilitiesOf(capabilityTypes);

export const NullCap = capability("null_cap", GENERIC, {});

export const UntypedCap = capability("untyped_cap", GENERIC, {
  capPtr: { at: [47, 0], doc: "first byte (field_ptr: 48 of 59 bits)" },
  capFreeIndex: { word: 1, at: [63, 16], doc: "how much is used, in units of 16 bytes" },
  capIsDevice: { word: 1, at: [6, 6], doc: "device memory: frames and untypeds only" },
  capBlockSize: { word: 1, at: [5, 0], doc: "log2 of the bytes" },
});

export const EndpointCap = capability("endpoint_cap", GENERIC, {
  capCanGrantReply: { at: [58, 58], doc: "a call through it gives a reply capability" },
  capCanGrant: { at: [57, 57], doc: "capabilities may be sent, and replies may grant" },
  capCanReceive: { at: [56, 56], doc: "read" },
  capCanSend: { at: [55, 55], doc: "write" },
  capEPPtr: { at: [47, 0], doc: "the endpoint (field_ptr: 48 of 55 bits)" },
  capEPBadge: { word: 1, at: [63, 0], doc: "badge; 0: unbadged" },
});

export const NotificationCap = capability("notification_cap", GENERIC, {
  capNtfnCanReceive: { at: [58, 58], doc: "read" },
  capNtfnCanSend: { at: [57, 57], doc: "write" },
  capNtfnPtr: { at: [47, 0], doc: "the notification (field_ptr: 48 of 57 bits)" },
  capNtfnBadge: { word: 1, at: [63, 0], doc: "badge; 0: unbadged" },
});

export const ReplyCap = capability("reply_cap", GENERIC, {
  capReplyCanGrant: { at: [1, 1], doc: "the reply may carry capabilities" },
  capReplyMaster: { at: [0, 0], doc: "the one in the caller's own TCB" },
  capTCBPtr: { word: 1, at: [63, 0], doc: "the thread that waits" },
});

export const CNodeCap = capability("cnode_cap", GENERIC, {
  capCNodeGuardSize: { at: [58, 53], doc: "bits of the guard" },
  capCNodeRadix: { at: [52, 47], doc: "log2 of the slots" },
  capCNodePtr: { at: [46, 0], dropped: 1, doc: "first slot (field_ptr(1): bits 47:1 of the address)" },
  capCNodeGuard: { word: 1, at: [63, 0], doc: "the guard" },
});

export const ThreadCap = capability("thread_cap", GENERIC, {
  capTCBPtr: { at: [47, 0], doc: "the TCB (field_ptr: 48 of 59 bits)" },
});

export const IrqControlCap = capability("irq_control_cap", GENERIC, {});

export const IrqHandlerCap = capability("irq_handler_cap", GENERIC, {
  capIRQ: { word: 1, at: [11, 0], doc: "interrupt number; 64 bits on several cores" },
});

export const ZombieCap = capability("zombie_cap", GENERIC, {
  capZombieType: { at: [6, 0], doc: "log2 of the slots that were there; bit 6: a TCB" },
  capZombieID: { word: 1, at: [63, 0], doc: "address and, in its low bits, how many slots are left" },
});

export const DomainCap = capability("domain_cap", GENERIC, {});

export const FrameCap = capability("frame_cap", ARM, {
  capFSize: { at: [58, 57], doc: "size of the frame", is: { small: 0, large: 1, huge: 2 } },
  capFMappedAddress: { at: [56, 9], doc: "where it is mapped (field_high: all 48 bits, not in place)" },
  capFVMRights: { at: [8, 7], doc: "rights that a mapping may have", is: { kernelOnly: 0, readWrite: 1, readOnly: 3 } },
  capFIsDevice: { at: [6, 6], doc: "device memory" },
  capFMappedASID: { word: 1, at: [63, 48], doc: "ASID of the mapping; 0: not mapped" },
  capFBasePtr: { word: 1, at: [47, 0], doc: "the frame (field_high: all 48 bits)" },
});

export const PageTableCap = capability("page_table_cap", ARM, {
  capPTIsMapped: { at: [48, 48], doc: "it is mapped" },
  capPTMappedAddress: { at: [47, 20], unit: 0x10_0000, doc: "first address it translates (field_high: bits 47:20)" },
  capPTMappedASID: { word: 1, at: [63, 48], doc: "ASID of the mapping" },
  capPTBasePtr: { word: 1, at: [47, 0], doc: "the table (field_high: all 48 bits)" },
});

export const VSpaceCap = capability("vspace_cap", ARM, {
  capVSIsMapped: { at: [58, 58], doc: "it has an ASID" },
  capVSMappedCB: { at: [57, 50], doc: "context bank, in the kernel's own copy; else the number of banks" },
  capVSMappedASID: { word: 1, at: [63, 48], doc: "its ASID" },
  capVSBasePtr: { word: 1, at: [47, 0], doc: "the root table (field_high: all 48 bits)" },
});

export const AsidControlCap = capability("asid_control_cap", ARM, {});

export const AsidPoolCap = capability("asid_pool_cap", ARM, {
  capASIDBase: { at: [58, 43], doc: "first of its 512 ASIDs" },
  capASIDPool: { at: [36, 0], dropped: 11, doc: "the pool (field_high: bits 47:11 of the address)" },
});

export const VcpuCap = capability("vcpu_cap", ARM, {
  capVCPUPtr: { at: [58, 11], doc: "the VCPU (field_high: all 48 bits, not in place)" },
});

export const SidControlCap = capability("sid_control_cap", ARM, {});

export const SidCap = capability("sid_cap", ARM, {
  capSID: { word: 1, at: [11, 0], doc: "StreamID" },
});

export const CbControlCap = capability("cb_control_cap", ARM, {});

export const CbCap = capability("cb_cap", ARM, {
  capBindSID: { word: 1, at: [19, 8], doc: "StreamID, in the kernel's own copy; else the number of streams" },
  capCB: { word: 1, at: [7, 0], doc: "context bank" },
});

/** With CONFIG_ALLOW_SMC_CALLS. */
export const SmcCap = capability("smc_cap", ARM, {
  capSMCBadge: { word: 1, at: [63, 0], doc: "the one function it may call; 0: any" },
});

/** On one core only. */
export const SgiSignalCap = capability("sgi_signal_cap", ARM, {
  capSGIIRQ: { at: [58, 55], doc: "which of the 16 software interrupts" },
  capSGITarget: { word: 1, at: [31, 0], doc: "target core, as the interrupt controller numbers it" },
});

export const capabilities = {
  null_cap: NullCap,
  untyped_cap: UntypedCap,
  endpoint_cap: EndpointCap,
  notification_cap: NotificationCap,
  reply_cap: ReplyCap,
  cnode_cap: CNodeCap,
  thread_cap: ThreadCap,
  irq_control_cap: IrqControlCap,
  irq_handler_cap: IrqHandlerCap,
  zombie_cap: ZombieCap,
  domain_cap: DomainCap,
  frame_cap: FrameCap,
  page_table_cap: PageTableCap,
  vspace_cap: VSpaceCap,
  asid_control_cap: AsidControlCap,
  asid_pool_cap: AsidPoolCap,
  vcpu_cap: VcpuCap,
  sid_control_cap: SidControlCap,
  sid_cap: SidCap,
  cb_control_cap: CbControlCap,
  cb_cap: CbCap,
  smc_cap: SmcCap,
  sgi_signal_cap: SgiSignalCap,
} as const;

/** The type of a capability, to choose how to read the rest. */
export const CapabilityWord = layout("cap", 2, ARM, {
  capType: { at: [63, 59], doc: "what kind of capability this is", is: capabilityTypes },
});

/** The name of a capability's type, or undefined where this configuration has none of that number. */
export const capabilityTypeOf = (words: readonly bigint[]): CapabilityType | undefined => {
  const type = CapabilityWord.get(words, "capType");
  return typeof type === "string" ? type : undefined;
};
