/**
 * One transaction, judged by registers and tables alone, as if the TLB were empty (IHI 0062 D.c figures 2-3 and 2-4). The
 * answer comes with the registers that it leaves: a fault shows in them.
 */
import type { Outcome, Transaction } from "../base/transaction.ts";
import { pa } from "../base/words.ts";
import { contextOf } from "./contextBank.ts";
import { blocked, contextFault, globalFault, outstanding } from "./faults.ts";
import type { Identification } from "./identification.ts";
import type { Image, Via } from "./memory.ts";
import type { RegisterFile } from "./registerFile.ts";
import { clientsBypass, globalReported, mapStream, type Mapped, registerVia } from "./streams.ts";
import { walk } from "./walk.ts";

export type Judged = { readonly file: RegisterFile; readonly via: readonly Via[] } & (
  | { readonly outcome: Outcome }
  /** A configuration that this model does not have; no answer is made up. */
  | { readonly outcome: { readonly result: "unsupported"; readonly why: string } }
);

/** Bits of an address beyond the output size are cut off where no bank is involved (section 1.6.2). */
const untranslated = ({ outputBits }: Identification, transaction: Transaction): Outcome => ({ result: "ok", pa: pa(transaction.iova & ((1n << BigInt(outputBits)) - 1n)) });

const throughBank = (image: Image, identification: Identification, file: RegisterFile, transaction: Transaction, mapped: Extract<Mapped, { is: "bank" }>): Judged => {
  const { bank, marks } = mapped;
  const context = contextOf(identification, file, bank);
  if (context.is === "unsupported") return { outcome: { result: "unsupported", why: context.why }, file, via: mapped.via };
  if (context.is === "illegal") {
    const via = context.fault === "UCBF" ? mapped.via : [...mapped.via, registerVia(identification, file, "CBAR", bank)];
    return { ...globalFault(file, transaction, context.fault, context.fault === "ICF", globalReported(file)), via };
  }
  const via = [...mapped.via, registerVia(identification, file, "CBAR", bank), registerVia(identification, file, "SCTLR", bank)];
  if (outstanding(file, bank) && !context.goesOn) return { ...blocked(file, context), via };
  if (context.is === "off") {
    if (transaction.iova >> BigInt(context.limit) === 0n) return { outcome: { result: "ok", pa: pa(transaction.iova) }, file, via };
    return { ...contextFault(file, transaction, bank, context.stage, { fault: context.beyond, level: 0 }, context), via };
  }
  // S2CR may fix what the device would otherwise choose.
  const priv = marks.privileged.length === 1 ? marks.privileged[0]! : transaction.priv === true;
  const instr = transaction.op === "read" && (marks.instruction.length === 1 ? marks.instruction[0]! : transaction.instr === true);
  const walked = walk(image, context.regime, transaction.iova, { op: transaction.op, priv, instr });
  const whole = [...via, registerVia(identification, file, "TTBR0", bank), ...walked.via];
  if (walked.result === "ok") return { outcome: { result: "ok", pa: pa(walked.output) }, file, via: whole };
  return { ...contextFault(file, { ...transaction, priv, instr }, bank, context.regime.tag.stage, walked, context), via: whole };
};

/** The transaction does not cross a 4 KiB boundary. */
export const judge = (image: Image, identification: Identification, file: RegisterFile, transaction: Transaction): Judged => {
  if (clientsBypass(file)) return { outcome: untranslated(identification, transaction), file, via: [registerVia(identification, file, "CR0")] };
  const mapped = mapStream(identification, file, transaction.sid);
  switch (mapped.is) {
    case "bypass":
      return { outcome: untranslated(identification, transaction), file, via: mapped.via };
    case "fault":
      return { ...globalFault(file, transaction, mapped.fault, false, globalReported(file)), via: mapped.via };
    default:
      return throughBank(image, identification, file, transaction, mapped);
  }
};
