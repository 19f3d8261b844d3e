/**
 * Stream table entry: what the SMMU does with the transactions of one stream. Eight 64-bit words.
 * Fields that exist for Secure streams alone are left out: S2NSW, S2NSA (word 3), S_S2T0SZ, S_S2SL0, S_S2TG (word 4),
 * S2SW, S2SA, S_S2SL0_2, S_S2TTB, S_S2SKL (word 6). They are RES0 for Non-secure streams.
 * Source: IHI 0070 G.b section 5.2 "STE, Stream Table Entry"; Linux arm-smmu-v3.h STRTAB_STE_*.
 */
import { layout } from "../../src/base/layout.ts";

export const Ste = layout("STE", 8, 'IHI 0070 "Stream Table Entry"', {
  V: { at: [0, 0], doc: "the entry is valid" },
  Config: { at: [3, 1], doc: "which stages translate; 0 to 3 abort without an event", is: { abort: 0, bypass: 4, s1: 5, s2: 6, nested: 7 } },
  S1Fmt: { at: [5, 4], doc: "shape of the CD table; 3 behaves as 0; ignored without substreams", is: { linear: 0, leaf4K: 1, leaf64K: 2 } },
  S1ContextPtr: { at: [55, 6], unit: 64, doc: "address of the CD table; an IPA when stage 2 translates" },
  S1CDMax: { at: [63, 59], doc: "log2 of the number of CDs; 0 is one CD and no substreams; ignored where SSIDSIZE is 0" },

  S1DSS: { word: 1, at: [1, 0], doc: "transactions without a SubstreamID; 3 behaves as 0; ignored where S1CDMax is 0", is: { terminate: 0, bypass: 1, substream0: 2 } },
  S1CIR: { word: 1, at: [3, 2], doc: "inner cacheability of CD fetches" },
  S1COR: { word: 1, at: [5, 4], doc: "outer cacheability of CD fetches" },
  S1CSH: { word: 1, at: [7, 6], doc: "shareability of CD fetches" },
  S2HWU: { word: 1, at: [11, 8], doc: "page-based hardware attributes of stage 2" },
  DRE: { word: 1, at: [12, 12], doc: "destructive reads are allowed" },
  CONT: { word: 1, at: [16, 13], doc: "log2 of a run of identical entries" },
  DCP: { word: 1, at: [17, 17], doc: "directed cache prefetch is allowed" },
  PPAR: { word: 1, at: [18, 18], doc: "PRI auto-responses carry a PASID" },
  MEV: { word: 1, at: [19, 19], doc: "repeated events may be merged" },
  SW: { word: 1, at: [23, 20], doc: "for software" },
  S1PIE: { word: 1, at: [24, 24], doc: "stage-1 permission indirection" },
  S2FWB: { word: 1, at: [25, 25], doc: "stage 2 forces write-back" },
  S1MPAM: { word: 1, at: [26, 26], doc: "MPAM identifiers come from the CD" },
  S1STALLD: { word: 1, at: [27, 27], doc: "stage-1 faults may not stall" },
  EATS: { word: 1, at: [29, 28], doc: "ATS", is: { refused: 0, full: 1, split: 2, dpt: 3 } },
  STRW: { word: 1, at: [31, 30], doc: "StreamWorld of stage-1 translations, where EL2 is there: CR2.E2H chooses NS-EL2 or NS-EL2-E2H at 2; 1 (EL3 of a Secure stream) and 3 are illegal for Non-secure streams", is: { nsEl1: 0, el3: 1, el2: 2, el2E2h: 3 } },
  MemAttr: { word: 1, at: [35, 32], doc: "memory type when overridden" },
  MTCFG: { word: 1, at: [36, 36], doc: "override the memory type" },
  ALLOCCFG: { word: 1, at: [40, 37], doc: "override allocation hints" },
  SHCFG: { word: 1, at: [45, 44], doc: "shareability", is: { nonShareable: 0, incoming: 1, outer: 2, inner: 3 } },
  NSCFG: { word: 1, at: [47, 46], doc: "security attribute override" },
  PRIVCFG: { word: 1, at: [49, 48], doc: "privilege override; 1 behaves as 0", is: { incoming: 0, unprivileged: 2, privileged: 3 } },
  INSTCFG: { word: 1, at: [51, 50], doc: "instruction/data override; 1 behaves as 0, and a write is data whatever this says", is: { incoming: 0, data: 2, instruction: 3 } },
  IMPDEF1: { word: 1, at: [63, 52], doc: "implementation defined" },

  S2VMID: { word: 2, at: [15, 0], doc: "tag of this stream's translations, of stage 1 alone too; ignored without stage 2 and in the EL2 worlds" },
  IMPDEF2: { word: 2, at: [31, 16], doc: "implementation defined" },
  S2T0SZ: { word: 2, at: [37, 32], doc: "64 minus the bits of the stage-2 input address" },
  S2SL0: { word: 2, at: [39, 38], doc: "level at which the stage-2 walk starts" },
  S2IR0: { word: 2, at: [41, 40], doc: "inner cacheability of stage-2 walks" },
  S2OR0: { word: 2, at: [43, 42], doc: "outer cacheability of stage-2 walks" },
  S2SH0: { word: 2, at: [45, 44], doc: "shareability of stage-2 walks" },
  S2TG: { word: 2, at: [47, 46], doc: "stage-2 granule", is: { "4K": 0, "64K": 1, "16K": 2 } },
  S2PS: { word: 2, at: [50, 48], doc: "size of stage-2 output addresses", is: { "32": 0, "36": 1, "40": 2, "42": 3, "44": 4, "48": 5, "52": 6, "56": 7 } },
  S2AA64: { word: 2, at: [51, 51], doc: "stage-2 tables are VMSAv8-64; 0: VMSAv8-32 LPAE, or VMSAv9-128 where IDR5.D128 says so" },
  S2ENDI: { word: 2, at: [52, 52], doc: "stage-2 tables are big-endian" },
  S2AFFD: { word: 2, at: [53, 53], doc: "an access flag of 0 is no fault" },
  S2PTW: { word: 2, at: [54, 54], doc: "a stage-1 walk into stage-2 Device memory faults" },
  S2HD: { word: 2, at: [55, 55], doc: "hardware manages the dirty state" },
  S2HA: { word: 2, at: [56, 56], doc: "hardware manages the access flag" },
  S2S: { word: 2, at: [57, 57], doc: "stage-2 faults stall" },
  S2R: { word: 2, at: [58, 58], doc: "stage-2 faults are recorded" },
  S2HAFT: { word: 2, at: [59, 59], doc: "hardware manages the access flag of tables" },
  S2PIE: { word: 2, at: [60, 60], doc: "stage-2 permission indirection" },
  S2POE: { word: 2, at: [61, 61], doc: "stage-2 permission overlay" },
  DPT_VMATCH: { word: 2, at: [63, 62], doc: "EATS=3: a device permission table entry needs this VMID or AC=2 (0), or AC=1 (1), or neither (2); 3 behaves as 0" },

  S2SL0_2: { word: 3, at: [2, 2], doc: "bit 2 of S2SL0, where S2DS is 1 at the 4 KiB granule" },
  S2DS: { word: 3, at: [3, 3], doc: "52-bit addresses at the 4 and 16 KiB granules; needs IDR5.DS" },
  S2TTB: { word: 3, at: [55, 4], unit: 16, doc: "physical address of the stage-2 root table" },

  S2SKL: { word: 3, at: [62, 61], doc: "VMSAv9-128: levels that the stage-2 walk skips" },

  IMPDEF4: { word: 4, at: [15, 0], doc: "implementation defined" },
  PARTID: { word: 4, at: [31, 16], doc: "MPAM partition" },
  MECID: { word: 4, at: [63, 48], doc: "Realm streams: memory encryption context" },

  PMG: { word: 5, at: [7, 0], doc: "MPAM performance monitoring group" },
  MPAM_NS: { word: 5, at: [8, 8], doc: "Secure and Realm streams: the MPAM partition is a Non-secure one" },
  AssuredOnly: { word: 5, at: [9, 9], doc: "stage-2 AssuredOnly checks" },
  TL0: { word: 5, at: [10, 10], doc: "TopLevel0 permission checks of stage-2 indirection" },
  TL1: { word: 5, at: [11, 11], doc: "TopLevel1 permission checks of stage-2 indirection" },
  VMSPtr: { word: 5, at: [55, 12], unit: 4096, doc: "physical address of the VM structure (MPAM)" },

  S2POI: { word: 7, at: [63, 0], doc: "stage-2 permission overlay: 16 values of 4 bits" },
});
