/**
 * Nested translation: a bank gets a guest's table of context descriptors, so that its streams pass the guest's stage 1 and
 * then, for every address that stage 1 takes or makes, the VSpace's stage 2 (IHI 0070 section 3.4). The guest owns table
 * and descriptors, and nobody looks at them here: what is written there cannot widen stage 2.
 *
 * The label is of the seL4 Summit 2023 SMMUv3 talk, which shows no more than the name: the words are ours. The talk names
 * no way to take the table alone away, so there is none: it goes with the VSpace (UnassignVspace, then again).
 */
import { NONE } from "../base/state.ts";
import { isNested, nest } from "./binding.ts";
import { CB } from "./capability.ts";
import { unassigned } from "./contextBank.ts";
import { invocation, refusal, type Request } from "./invocation.ts";
import type { CdTable } from "./plan.ts";

/** Stage 2 has 44-bit input addresses (driver.ts), and S1ContextPtr leaves out six bits. */
const MOST_IPA = (1n << 44n) - 1n;
const CD_BYTES = 64n;
/** The architecture's greatest SSIDSIZE (SMMU_IDR1). An SMMU with less refuses the stream table entry, and aborts. */
const MOST_SUBSTREAM_BITS = 20n;
const FORMATS = 3n;
const WITHOUT_SUBSTREAM = 3n;

const tableOf = ({ words }: Request): CdTable => ({ S1ContextPtr: words[0]!, S1Fmt: words[1]!, S1CDMax: words[2]!, S1DSS: words[3]! });

export const AssignCDTable = invocation({
  label: "ARMCBAssignCDTable",
  object: CB,
  says: "Give the bank a table of context descriptors, which lies in its VSpace: a guest's stage 1 comes before stage 2.",
  unexplored: "what a guest writes into its descriptors and stage-1 tables is no part of an explored state",
  inProfile: ({ nestedStage1 }) => nestedStage1,
  caps: [],
  words: [
    { name: "table", of: "word" },
    { name: "format", of: "word" },
    { name: "substream_bits", of: "word" },
    { name: "without_substream", of: "word" },
  ],
  refusals: [
    unassigned,
    refusal("seL4_RangeError", "the table is beyond the input addresses of stage 2", (_, { words }) => (words[0]! > MOST_IPA ? [0n, MOST_IPA] : undefined)),
    refusal("seL4_AlignmentError", "the table is not aligned to a context descriptor", (_, { words }) => (words[0]! % CD_BYTES === 0n ? undefined : [])),
    refusal("seL4_InvalidArgument", "the format is none of S1Fmt", (_, { words }) => (words[1]! < FORMATS ? undefined : [1n])),
    refusal("seL4_RangeError", "there are not so many substreams", (_, { words }) => (words[2]! > MOST_SUBSTREAM_BITS ? [0n, MOST_SUBSTREAM_BITS] : undefined)),
    refusal("seL4_InvalidArgument", "what is to become of transactions without a substream is none of S1DSS", (_, { words }) => (words[3]! < WITHOUT_SUBSTREAM ? undefined : [3n])),
    refusal("seL4_DeleteFirst", "the bank has a CD table", (kernel, { target }) => (isNested(kernel, kernel.tables.slot.at(target).object) ? [] : undefined)),
    refusal("seL4_InvalidArgument", "the table is outside the scope of this state", (kernel, request) => (kernel.plan.cdTableOf(tableOf(request)) === NONE ? [0n] : undefined)),
  ],
  effect: (kernel, request) => nest(kernel, kernel.tables.slot.at(request.target).object, kernel.plan.cdTableOf(tableOf(request))),
});
