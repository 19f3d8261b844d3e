/**
 * Page requests of PCIe devices (PRI; IHI 0070 chapter 8): entries of the PRI queue, and the answers that the SMMU gives
 * by itself when the queue cannot take them.
 */
import { PageRequest as Entry } from "../../specs/smmuv3/pri.ts";

/** What a device asks for. */
export interface PageRequest {
  readonly sid: number;
  readonly ssid?: number;
  /** A multiple of 4096. */
  readonly address: bigint;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute?: boolean;
  readonly priv?: boolean;
  /** The last of its group: it wants the answer. */
  readonly last: boolean;
  /** Page request group, 0 to 511. */
  readonly group: number;
}

export type PageRequestOutcome =
  /** In the queue, as two words. */
  | { readonly result: "queued"; readonly raw: readonly [bigint, bigint] }
  /** Discarded; the device has this answer. */
  | { readonly result: "auto-response"; readonly code: "success" | "failure" }
  /** Discarded without an answer: not the last of its group, or a stop marker. */
  | { readonly result: "discarded" };

/** Stop markers want no answer: PASID, last, and nothing asked for. */
const isStopMarker = ({ ssid, last, read, write }: PageRequest): boolean => ssid !== undefined && last && !read && !write;

/** The answer to a request that was not queued. */
export const discarded = (request: PageRequest, code: "success" | "failure"): PageRequestOutcome =>
  request.last && !isStopMarker(request) ? { result: "auto-response", code } : { result: "discarded" };

/** The entry of a request. Privilege and execution mean something with a PASID only. */
export const entryOf = ({ sid, ssid, address, read, write, execute, priv, last, group }: PageRequest): [bigint, bigint] => {
  const pasid = ssid === undefined ? {} : { SSV: 1n, SSID: BigInt(ssid), X: BigInt(execute === true), Priv: BigInt(priv === true) };
  const words = Entry.encode({ SID: BigInt(sid), ...pasid, R: BigInt(read), W: BigInt(write), Last: BigInt(last), PRGIndex: BigInt(group), Address: address });
  return [words[0]!, words[1]!];
};
