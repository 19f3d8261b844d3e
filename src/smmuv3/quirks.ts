/**
 * Where an implementation departs from the architecture, by name. Each quirk changes one decision and nothing else, and
 * stands beside that decision in the code. Source of what QEMU does: its hw/arm/smmuv3.c, hw/arm/smmu-common.c and their
 * headers, version 10.0.2, and a running one, held to each quirk by test/qemu. Where the architecture's side of a quirk is
 * known from memory of IHI 0070 and DDI 0487 alone, it is `assumed`; the set is below.
 */

/** What each quirk does, for people. */
export const quirks = {
  // Registers and the stream table.
  registersAlwaysWritable: "registers that the architecture locks while SMMUEN or a queue is enabled take every write",
  reservedAcknowledged: "CR0ACK copies reserved bits of CR0",
  wideWritesOfBasesOnly: "8-byte writes reach the 64-bit registers only",
  pagesAliased: "register page 1 is a copy of the whole of page 0",
  formatSticks: "once STRTAB_BASE_CFG.FMT was two-level, the stream table stays so until reset",
  splitUnchecked: "STRTAB_BASE_CFG.SPLIT is taken as it is; values other than 6, 8 and 10 behave as 6",
  badStreamRecorded: "C_BAD_STREAMID is recorded whatever CR2.RECINVSID says",
  basesBeyondOutput: "bits of STRTAB_BASE, CMDQ_BASE and EVENTQ_BASE beyond OAS are used; they are RES0",
  streamTableHalfAligned: "a stream table's base is aligned to half the size that LOG2SIZE says",
  spanDoubled: "a second-level stream table of L1STD.Span has 2^Span entries, and streams beyond it are C_BAD_STE",
  level2Unaligned: "L1STD.L2Ptr is taken from bits 63:5 as they are, not aligned to the table's size",
  bypassUnchecked: "a bypassed address beyond OAS passes; the architecture has F_ADDR_SIZE",
  // Stream table entries.
  stage1FieldsChecked: "S1CDMax above 0 and S1STALLD=1 are illegal even where stage 1 is off",
  inputWithinOutput: "S2T0SZ is held against S2PS, not against the intermediate address size",
  hardwareUpdateIgnored: "S2HA and S2HD are ignored; without HTTU they are illegal",
  rootOf48Bits: "bits 55:48 of S2TTB and S1ContextPtr and bits 55:51 of TTB0 and TTB1 are ignored",
  smallInputAccepted: "an S2T0SZ too large for S2SL0 is accepted: the root is one entry, at address 0 where there is less than one",
  protectedWalkIgnored: "S2PTW is ignored: a stage-1 table may lie in stage-2 Device memory",
  wideInputSilent: "a stage-2 input beyond OAS aborts without an event even with S2R=1",
  // Context descriptors.
  contextFetchAddressMoved: "F_CD_FETCH has the address in dword 2, and 0 in dword 3",
  endsItself: "CD.IPS of 6 or 7, and S2AA64=0 where stage 2 is on, end QEMU's process: there is no answer",
  contextPointerUnchecked: "an S1ContextPtr beyond OAS is not illegal: it is fetched from, or where stage 2 translates it aborts without an event",
  // Stage 1.
  upperTagFollowsLower: "TBI1 is not looked at: TBI0 decides for both halves",
  rootsTranslatedAtConfiguration: "with both stages, TTB0 and TTB1 go through stage 2 when the CD is decoded, used or not; the result is cut to IPS and kept with the configuration",
  tablePageTranslatedOnce: "with both stages, the base of a stage-1 table goes through stage 2, and entries are found from there on without it",
  tableFaultAsStage1: "with both stages, a stage-2 fault on a stage-1 table below the root is told as stage 1's: S2=0, and CD.R decides whether it is recorded; F_WALK_EABT has the table's IPA",
  tableAccessUntold: "F_PERMISSION does not say whether the table access was a read (TTRnW)",
  tableFetchReads: "stage-2 faults of the CD and of the root have RnW=1, whatever the transaction was",
  tableRightsAtOnce: "APTable=read-only faults a write when the table descriptor is met, before what lies below is looked at",
  tableRightsNotKept: "APTable is not part of what is kept in the TLB",
  privilegedDataOnly: "every access is privileged data: AP[1], PAN, E0PD, execute-never, PnU and InD play no part",
  addressSizeLast: "only a leaf's address is held against the output size, after its access flag and permissions; a table's is not",
  blockAnywhere: "a block descriptor is accepted at any level above 3",
  // Stage 2.
  concatenationIgnored: "the index of a concatenated stage-2 root table is added to S2TTB before its alignment, which drops it: the first table is walked",
  faultAddressWhole: "dword 3 of a stage-2 fault keeps the low 12 bits of the IPA",
  contiguousIgnored: "the contiguous hint is not used: each page is kept by itself",
  // What is kept, and what a hit is held to.
  hitReadsUnchecked: "a read that hits the TLB is not held against stage 2; where stage 2 alone translates, memory refuses it without an event",
  hitWritesAsStage1: "where stage 2 alone translates, a write refused by a TLB hit is stage 1's fault, and so never recorded",
  hitFaultWithoutAddress: "with both stages, a write that a TLB hit refuses by stage 2 has IPA 0",
  stage1HitFinal: "a translation that a stream of stage 1 alone left in the TLB answers a stream of both stages with the same VMID and ASID, without stage 2",
  globalsTagged: "a global translation is kept for one ASID, not for all",
  tagKept: "the ignored top byte of an address is part of what a TLB entry and its invalidation match",
  // Commands and queues.
  illegalCommandsAccepted: "EL2 and EL3 invalidations, ATC_INV, PRI_RESP, RESUME, STALL_TERM, SYNC with CS=3 and SSec=1 on TLBI and SYNC are not CERROR_ILL",
  overflowAsAbort: "an event that does not fit toggles GERROR.EVENTQ_ABT_ERR, and not EVENTQ_PROD.OVFLG",
  eventPerWord: "an access of more than 4 bytes records an event for each 4",
} as const satisfies Readonly<Record<string, string>>;
export type Quirk = keyof typeof quirks;
export type Quirks = Readonly<Partial<Record<Quirk, true>>>;

const all = Object.fromEntries(Object.keys(quirks).map((quirk) => [quirk, true])) as Record<Quirk, true>;

/** The sets that can be asked for by name. */
export const quirkSets = { "qemu-10.0": all } as const satisfies Readonly<Record<string, Quirks>>;
