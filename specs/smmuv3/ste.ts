/**
 * Stream table entry: what the SMMU does with the transactions of one stream. Eight 64-bit words.
 * Source: IHI 0070 "Stream Table Entry"; Linux arm-smmu-v3.h STRTAB_STE_*.
 */
import { layout } from "../../src/base/layout.ts";

export const Ste = layout("STE", 8, 'IHI 0070 "Stream Table Entry"', {
  V: { at: [0, 0], doc: "the entry is valid" },
  Config: { at: [3, 1], doc: "which stages translate; 0 to 3 abort without an event", is: { abort: 0, bypass: 4, s1: 5, s2: 6, nested: 7 } },
  S1Fmt: { at: [5, 4], doc: "shape of the CD table", is: { linear: 0, leaf4K: 1, leaf64K: 2 } },
  S1ContextPtr: { at: [55, 6], unit: 64, doc: "address of the CD table; an IPA when stage 2 translates" },
  S1CDMax: { at: [63, 59], doc: "log2 of the number of CDs; 0 is one CD and no substreams" },

  S1DSS: { word: 1, at: [1, 0], doc: "transactions without a SubstreamID", is: { terminate: 0, bypass: 1, substream0: 2 } },
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
  STRW: { word: 1, at: [31, 30], doc: "StreamWorld of stage-1 translations", is: { nsEl1: 0, el3: 1, el2: 2, el2E2h: 3 } },
  MemAttr: { word: 1, at: [35, 32], doc: "memory type when overridden" },
  MTCFG: { word: 1, at: [36, 36], doc: "override the memory type" },
  ALLOCCFG: { word: 1, at: [40, 37], doc: "override allocation hints" },
  SHCFG: { word: 1, at: [45, 44], doc: "shareability", is: { nonShareable: 0, incoming: 1, outer: 2, inner: 3 } },
  NSCFG: { word: 1, at: [47, 46], doc: "security attribute override" },
  PRIVCFG: { word: 1, at: [49, 48], doc: "privilege override", is: { incoming: 0, unprivileged: 2, privileged: 3 } },
  INSTCFG: { word: 1, at: [51, 50], doc: "instruction/data override", is: { incoming: 0, data: 2, instruction: 3 } },

  S2VMID: { word: 2, at: [15, 0], doc: "tag of this stream's stage-2 translations" },
  S2T0SZ: { word: 2, at: [37, 32], doc: "64 minus the bits of the stage-2 input address" },
  S2SL0: { word: 2, at: [39, 38], doc: "level at which the stage-2 walk starts" },
  S2IR0: { word: 2, at: [41, 40], doc: "inner cacheability of stage-2 walks" },
  S2OR0: { word: 2, at: [43, 42], doc: "outer cacheability of stage-2 walks" },
  S2SH0: { word: 2, at: [45, 44], doc: "shareability of stage-2 walks" },
  S2TG: { word: 2, at: [47, 46], doc: "stage-2 granule", is: { "4K": 0, "64K": 1, "16K": 2 } },
  S2PS: { word: 2, at: [50, 48], doc: "size of stage-2 output addresses", is: { "32": 0, "36": 1, "40": 2, "42": 3, "44": 4, "48": 5, "52": 6 } },
  S2AA64: { word: 2, at: [51, 51], doc: "stage-2 tables are VMSAv8-64" },
  S2ENDI: { word: 2, at: [52, 52], doc: "stage-2 tables are big-endian" },
  S2AFFD: { word: 2, at: [53, 53], doc: "an access flag of 0 is no fault" },
  S2PTW: { word: 2, at: [54, 54], doc: "a stage-1 walk into stage-2 Device memory faults" },
  S2HD: { word: 2, at: [55, 55], doc: "hardware manages the dirty state" },
  S2HA: { word: 2, at: [56, 56], doc: "hardware manages the access flag" },
  S2S: { word: 2, at: [57, 57], doc: "stage-2 faults stall" },
  S2R: { word: 2, at: [58, 58], doc: "stage-2 faults are recorded" },

  S2TTB: { word: 3, at: [55, 4], unit: 16, doc: "physical address of the stage-2 root table" },

  VMSPtr: { word: 5, at: [51, 12], unit: 4096, doc: "VM structure (MPAM)" },
});
