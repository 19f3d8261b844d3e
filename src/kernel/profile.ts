/**
 * A profile is a named record of design choices (design D7); a mutant is a profile with one safeguard removed, so that
 * each property can be shown to catch what it is there for. The kernel asks the profile at the very place where the
 * safeguard acts.
 */
export interface Profile {
  readonly name: string;
  readonly machine: "smmuv2" | "smmuv3";
  /** What VSpaces are: stage 2 where the kernel is a hypervisor, stage 1 at EL1. */
  readonly vspaces: "stage 1" | "stage 2";
  /** SMMUv2: streams are found by matching registers; otherwise the StreamID is an index. */
  readonly streamMatching: boolean;
  /** SID and CB capabilities issued by a control capability can be revoked (deviation c). */
  readonly issuedRevocable: boolean;
  /** UnassignVspace, or the VSpace's deletion, first sends the bank's streams to abort (deviation a). */
  readonly unassignAborts: boolean;
  /** Deleting an ASID pool first unassigns every bank whose VSpace it names (deviation b). */
  readonly poolDeletionUnassigns: boolean;
  /** AssignVspace refuses a VSpace whose ASID names it no more (deviation f). */
  readonly staleAsidRefused: boolean;
  /** How many banks may use one VSpace before AssignVspace refuses (deviation e). */
  readonly bindLimit: number;
  /** Values of the counter of banks in an ASID's entry, which then wraps; 0: banks are counted by the copies in CBNode. */
  readonly bankCounter: number;
  /** Streams and banks that an SMMU has by number; 0: as many as its stream table, or as there are VMIDs. */
  readonly streamLimit: number;
  readonly bankLimit: number;
  /** BindCB refuses a bank of another SMMU. */
  readonly bindChecksSmmu: boolean;
  /** GBPA aborts what comes while translation is off (deviation d). */
  readonly bootAborts: boolean;
  /** SIDControl can ask for the SMMU's global errors and its event queue. */
  readonly errorReports: boolean;
  /** SIDControl can acknowledge global errors, and make the SMMU go on behind a bad command. */
  readonly errorRecovery: boolean;
  /** SIDControl can turn an SMMU off and set it up anew (deviation g). */
  readonly smmuReset: boolean;
  /** A bank can be given a table of context descriptors: stage 1 under a guest's control, nested in stage 2. */
  readonly nestedStage1: boolean;
  /** Replacing a valid page-table entry clears it and invalidates before the new one is written. */
  readonly breakBeforeMake: boolean;
  /** A page that is mapped without rights is marked execute-never, too. */
  readonly noRightsNoFetch: boolean;
  /** Present in a mutant only. */
  readonly without?: Safeguard;
}

/** Each difference between profiles in a sentence, with its source. */
export const profileFields: Readonly<Record<Exclude<keyof Profile, "name" | "without">, { readonly says: string; readonly source: string }>> = {
  machine: { says: "which SMMU the kernel drives", source: "seL4 src/drivers/smmu/smmuv2.c; the port of the 2023 talk and ours drive an SMMUv3" },
  vspaces: { says: "which stage of translation a VSpace is: a bank is stage 2 with its number as VMID, or stage 1 with the VSpace's ASID", source: "seL4 src/drivers/smmu/smmuv2.c smmu_cb_assign_vspace" },
  streamMatching: { says: "how an SMMUv2 finds a stream's entry: by stream match registers, or by the StreamID as an index", source: "IHI 0062 SMMU_IDR0.SMS; seL4 smmuv2.c smmu_sid_bind_cb" },
  issuedRevocable: { says: "whether Revoke on a SID or CB capability takes its copies and bindings away; upstream deletes nothing", source: "seL4 arch/object/structures.h Arch_isCapRevocable" },
  unassignAborts: { says: "whether a bank that loses its VSpace sends its streams to abort; upstream only turns the bank off", source: "seL4 smmu.c smmu_cb_delete_vspace" },
  poolDeletionUnassigns: { says: "whether deleting an ASID pool unassigns the banks that use its VSpaces; upstream leaves them translating", source: "seL4 vspace.c deleteASIDPool" },
  staleAsidRefused: { says: "whether AssignVspace looks the ASID up; upstream takes the capability's word", source: "seL4 smmu.c decodeARMCBInvocation" },
  bindLimit: { says: "whether AssignVspace refuses when the counter of banks is full", source: "seL4 PR 787: the check is missing" },
  bankCounter: { says: "whether banks are counted in the ASID pool's entry, in 8 bits, or by the copies that the kernel holds", source: "seL4 structures.bf asid_map_vspace.bind_cb" },
  streamLimit: { says: "how many StreamIDs there are", source: "seL4 plat/tx2/config.cmake MAX_SID" },
  bankLimit: { says: "how many context banks there are", source: "seL4 plat/tx2/config.cmake MAX_CB" },
  bootAborts: {
    says: "whether GBPA aborts what comes while an SMMUv3 does not translate; the talk's port leaves it as it is out of reset, so that traffic passes (assumed)",
    source: "IHI 0070 SMMU_GBPA; seL4 Summit 2023, SMMUv3 talk, which does not show its reset code",
  },
  errorReports: {
    says: "whether SIDControl reads global errors and the event queue; both only tell, and SIDControl's holder decides about every stream anyway",
    source: "seL4 Summit 2023, SMMUv3 talk: ARMSIDGetGlobalerror, ARMSIDGetEventq",
  },
  errorRecovery: {
    says: "whether SIDControl acknowledges errors and skips commands; the command queue is the kernel's, and a skipped command may be the invalidation that a page's new owner relies on",
    source: "seL4 Summit 2023, SMMUv3 talk: ARMSIDSkipCmdqError, ARMSIDClearGlobalerror",
  },
  smmuReset: {
    says: "whether SIDControl turns an SMMU off and sets it up anew, between which every stream passes untranslated",
    source: "seL4 Summit 2023, SMMUv3 talk: ARMSIDDisableSMMU, ARMSIDInitSMMU",
  },
  nestedStage1: {
    says: "whether a bank can have a table of context descriptors, so that a guest's stage 1 is nested in the kernel's stage 2",
    source: "seL4 Summit 2023, SMMUv3 talk: ARMCBAssignCDTable",
  },
  bindChecksSmmu: { says: "whether a stream may be bound to a bank of another SMMU; upstream knows one SMMU", source: "design of cofferdam: a VMID means nothing on another SMMU" },
  breakBeforeMake: { says: "whether a valid page-table entry is cleared and invalidated before another is written over it; upstream writes, then invalidates", source: "seL4 vspace.c performPageInvocationMap; DDI 0487 break-before-make" },
  noRightsNoFetch: { says: "whether a page that is mapped without rights is execute-never, too; otherwise stage 2 lets instruction reads through", source: "seL4 vspace.c makeUserPagePTE; DDI 0487 stage 2 instruction access permissions" },
};

/** The safeguards that can be removed, each with what the kernel then forgets. */
export const safeguards = {
  "unmap-invalidates": "Page_Unmap clears the entry but issues no TLB invalidation",
  "gbpa-aborts": "boot leaves GBPA as it is out of reset, so that whatever comes while an SMMU does not translate passes",
  "unbind-clears-ste": "UnbindCB drops the binding but leaves the stream table entry",
  "revoke-finalises-kernel-copies": "Revoke empties SIDNode and CBNode slots without reprogramming the SMMU",
  "revoke-takes-all": "Revoke stops after the first of the capabilities that it finds",
  "frame-delete-invalidates": "deleting a mapped frame clears the entry but issues no TLB invalidation, so the page is retyped while cached",
  "frame-delete-unmaps": "deleting a mapped frame leaves the mapping where another capability to the frame is left, which does not stand for it",
  "table-delete-invalidates": "deleting a mapped page table clears the entry above but issues no invalidation, so the table is retyped while cached",
  "map-checks-rights": "Page_Map ignores the rights of the frame capability: a frame is mapped without the authority to write it",
  "unassign-aborts-streams": "UnassignVspace leaves the stream table entries of bound streams as they were",
  "every-stream-aborts": "UnassignVspace sends only the first of the bank's streams to abort",
  "vmid-cleared-between-vspaces": "neither UnassignVspace nor the next AssignVspace clears what the bank's VMID has cached",
  "retype-clears-memory": "Retype hands out memory without clearing it",
  "table-invalidates-everything-below": "removing a page table invalidates only the first address it covers",
  "ste-words-before-config": "BindCB and AssignVspace store the word with V and Config in the same CFGI as the others, so that one fetch may mix old and new ones",
  "map-breaks-before-make": "Page_Map over a valid entry issues no invalidation",
  "remap-invalidates": "Page_Map issues no invalidation where it changes the rights of a frame that is mapped there already",
  "barrier-before-cfgi": "a stream table entry is stored and invalidated without a barrier between the two",
  "copy-masks-rights": "Copy and Mint give the rights that they are asked for, whatever those of the source are",
  "copy-remembers-parent": "a copy stands in the derivation tree where its source does and not below it, so that revoking the source spares it",
  "copy-fills-untyped": "copying an untyped does not mark it as full, so that both copies hand out the same memory",
  "delete-hands-children-on": "deleting a capability leaves its children in the derivation tree with a parent that is gone",
  "delete-clears-issued": "deleting the last capability of a stream or context bank leaves it marked as issued, so that it is lost for good",
  "cnode-delete-empties": "deleting the last capability of a CNode leaves what stands in it",
  "tables-copied-mapped": "a page table that is not mapped may be copied, and then each copy maps it",
  "delete-unbinds": "deleting the last capability of a stream or context bank leaves it bound, so that whoever it is issued to next finds another's binding in it",
  "vspace-delete-frees-asid": "deleting the last capability of an address space leaves its ASID naming it",
  "issue-refuses-twice": "GetSID and GetCB do not ask whether the capability was issued already",
  "issue-marks-issued": "GetSID and GetCB do not mark what they issue, so that it can be issued again",
  "retype-respects-children": "Retype starts at the untyped's beginning although something made from it is left",
  "range-names-a-level": "an unmapped page is invalidated as a range of one granule without a level, which stops the command queue of an SMMU with range invalidation",
} as const;
export type Safeguard = keyof typeof safeguards;

/** seL4's refusals in seL4's order, but for the deviations (a)-(g) of design D7, each marked where it acts. */
export const cofferdam: Profile = {
  name: "cofferdam",
  machine: "smmuv3",
  vspaces: "stage 2",
  streamMatching: false,
  issuedRevocable: true,
  unassignAborts: true,
  poolDeletionUnassigns: true,
  staleAsidRefused: true,
  bindLimit: 255,
  bankCounter: 0,
  streamLimit: 0,
  bankLimit: 0,
  bindChecksSmmu: true,
  breakBeforeMake: true,
  noRightsNoFetch: true,
  bootAborts: true,
  errorReports: true,
  errorRecovery: false,
  smmuReset: false,
  nestedStage1: true,
};

/** What upstream's object code decides, whatever the hardware. */
const upstream = {
  issuedRevocable: false,
  unassignAborts: false,
  poolDeletionUnassigns: false,
  staleAsidRefused: false,
  bindLimit: Number.POSITIVE_INFINITY,
  bankCounter: 256,
  bindChecksSmmu: false,
  breakBeforeMake: false,
  noRightsNoFetch: false,
  bootAborts: false,
  errorReports: false,
  errorRecovery: false,
  smmuReset: false,
  nestedStage1: false,
} as const;

/** seL4 as it is: SMMUv2, as a hypervisor, with the limits of the one platform that turns it on (TX2). */
export const sel4Smmuv2: Profile = { name: "sel4-smmuv2", machine: "smmuv2", vspaces: "stage 2", streamMatching: true, ...upstream, streamLimit: 128, bankLimit: 64 };

/** The same on an SMMUv2 without stream match registers. */
export const sel4Smmuv2Indexing: Profile = { ...sel4Smmuv2, name: "sel4-smmuv2-indexing", streamMatching: false };

/** The same as a kernel at EL1, whose VSpaces are stage 1. */
export const sel4Smmuv2El1: Profile = { ...sel4Smmuv2, name: "sel4-smmuv2-el1", vspaces: "stage 1" };

/** The port of the 2023 talk: an SMMUv3 under upstream's object code, with the invocations that the talk adds. */
export const smmuv3Talk: Profile = {
  name: "smmuv3-talk",
  machine: "smmuv3",
  vspaces: "stage 2",
  streamMatching: false,
  ...upstream,
  streamLimit: 0,
  bankLimit: 0,
  errorReports: true,
  errorRecovery: true,
  smmuReset: true,
  nestedStage1: true,
};

export const profiles: readonly Profile[] = [cofferdam, sel4Smmuv2, sel4Smmuv2Indexing, sel4Smmuv2El1, smmuv3Talk];

export const profileNames: readonly string[] = profiles.map(({ name }) => name);
export const profileNamed = (name: string): Profile | undefined => profiles.find((profile) => profile.name === name);

export const mutantOf = (profile: Profile, without: Safeguard): Profile => ({ ...profile, without });
