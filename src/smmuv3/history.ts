/**
 * A history (design §6): what happens to an SMMU in order of time. Stores and register writes are the kernel's, commands
 * are executed at once, past the in-memory queue, and each transaction is judged in the state that all before it left.
 */
import type { Transaction } from "../base/transaction.ts";
import type { PageRequest } from "./pageRequests.ts";

export type HistoryStep =
  /** A 64-bit store to an 8-byte aligned physical address. */
  | { readonly kind: "store"; readonly addr: bigint; readonly value: bigint }
  | { readonly kind: "command"; readonly words: readonly [bigint, bigint] }
  /** `offset` in bytes from the SMMU's base; 8 bytes write two registers side by side. */
  | { readonly kind: "register"; readonly offset: number; readonly value: bigint; readonly size: 4 | 8 }
  | { readonly kind: "transaction"; readonly transaction: Transaction }
  /** A PCIe device asks for a page. */
  | { readonly kind: "pageRequest"; readonly request: PageRequest };
export type History = readonly HistoryStep[];
