/** What a device asks and what the SMMU answers (design §6): the port behind which every SMMU model stands. */
import type { Iova, Pa, StreamId } from "./words.ts";

export type Access = "read" | "write";

export interface Transaction {
  readonly sid: StreamId;
  /** SubstreamID, where the device sends one. */
  readonly ssid?: number;
  readonly op: Access;
  readonly iova: Iova;
  /** Bytes; the transaction does not cross a 4 KiB boundary. */
  readonly size: number;
  /** Privileged; PCIe requests without PASID are not (IHI 0070, transaction attributes). */
  readonly priv?: boolean;
  /** Instruction fetch. */
  readonly instr?: boolean;
  /**
   * PCIe ATS: `request` asks for a translation to keep in the device; `translated` says that the address is one, and the
   * SMMU sees to it only as far as it is told to (IHI 0070 section 3.9.1).
   */
  readonly ats?: "request" | "translated";
}

/** An event record (IHI 0070 "Event records"), with only the fields that its type defines. */
export interface EventRecord {
  readonly type: string;
  readonly sid: StreamId;
  readonly ssid?: number;
  readonly iova?: bigint;
  readonly s2?: boolean;
  readonly class?: "CD" | "TT" | "IN";
  readonly rnw?: boolean;
  readonly ipa?: bigint;
  readonly fetch?: bigint;
  readonly stag?: number;
  /** The 32 bytes as recorded, four 64-bit words. */
  readonly raw: readonly [bigint, bigint, bigint, bigint];
}

export type Outcome =
  | { readonly result: "ok"; readonly pa: Pa }
  /** Terminated; `event` is absent when the architecture records none. `raz`: it reads zero or is ignored, and the device sees no error. */
  | { readonly result: "abort"; readonly event?: EventRecord; readonly raz?: true }
  /** Held until software resumes or terminates it by the tag in the event. */
  | { readonly result: "stall"; readonly event: EventRecord };

/** The answer to an ATS translation request; what the device keeps of it is outside the SMMU. */
export interface Completion {
  readonly result: "completion";
  readonly status: "success" | "unsupported-request" | "completer-abort";
  /** Where `read` or `write` is granted: the address that the device may use, an IPA under split-stage ATS. */
  readonly pa?: bigint;
  readonly read?: boolean;
  readonly write?: boolean;
  readonly event?: EventRecord;
}
