/**
 * Capabilities of the profile `smmuv3-talk`, where they differ from capabilities.ts: the fields that the SMMUv3 port of
 * the seL4 Summit 2023 adds, on the seL4 it was based on, whose context bank numbers had 12 bits (before commit
 * ae1007a5). The slides give the widths. The order is `assumed`: the new field where the padding was, next
 * to the field that follows it in the slide's list.
 */
import { capabilitiesOf } from "./capabilityLayout.ts";
import { capabilityTypes } from "./capabilities.ts";

export const talkCapabilityTypes = { ...capabilityTypes, page_upper_directory_cap: 7 } as const;

const SOURCE = "seL4 Summit 2023, SMMUv3 talk; seL4 structures.bf before ae1007a5";
const capability = capabilitiesOf(talkCapabilityTypes);

export const TalkSidCap = capability("sid_cap", SOURCE, {
  capDevID: { word: 1, at: [35, 32], doc: "which SMMU (place assumed)" },
  capSID: { word: 1, at: [31, 0], doc: "StreamID" },
});

export const TalkCbCap = capability("cb_cap", SOURCE, {
  capDevID: { word: 1, at: [47, 44], doc: "which SMMU (place assumed)" },
  capBindSID: { word: 1, at: [43, 12], doc: "StreamID, in the kernel's own copy" },
  capCB: { word: 1, at: [11, 0], doc: "context bank" },
});

/** Root of a VSpace with 40-bit addresses (AARCH64_VSPACE_S2_START_L1), where CB and SMMU mean something; else a table. */
export const TalkPageUpperDirectoryCap = capability("page_upper_directory_cap", SOURCE, {
  capPUDIsMapped: { at: [58, 58], doc: "it has an ASID, or is mapped" },
  capPUDMappedAddress: { at: [57, 48], dropped: 38, doc: "first address it translates (field_high: bits 47:38)" },
  capPUDMappedCB: { at: [47, 36], doc: "context bank, in the kernel's own copy" },
  capPUDSMMUID: { at: [35, 32], doc: "which SMMU (place assumed)" },
  capPUDMappedASID: { word: 1, at: [63, 48], doc: "its ASID" },
  capPUDBasePtr: { word: 1, at: [47, 0], doc: "the table (field_high: all 48 bits)" },
});

export const talkCapabilities = {
  sid_cap: TalkSidCap,
  cb_cap: TalkCbCap,
  page_upper_directory_cap: TalkPageUpperDirectoryCap,
} as const;
