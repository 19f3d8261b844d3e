/**
 * A message-signalled interrupt as what it is: a 4-byte DMA write. The SMMU translates it like any other; only where it
 * then lands makes it an interrupt. So what a device can signal is (does it reach the doorbell page) times (what the ITS
 * maps for its DeviceID), and a device that bypasses translation writes its message anywhere.
 */
import { FRAME_BYTES, offsets } from "../../specs/gic/its.ts";
import type { EventRecord, Outcome, Transaction } from "../base/transaction.ts";
import type { Iova, Pa, StreamId } from "../base/words.ts";
import { deliver, type Delivery, type ItsState } from "./its.ts";

export const MSI_BYTES = 4;

/** An ITS at a physical address. */
export interface PlacedIts {
  /** Of the control frame; the translation frame is the next 64 KiB. */
  readonly base: bigint;
  readonly state: ItsState;
}

export type Msi =
  /** It reached GITS_TRANSLATER, and this is what the ITS made of it. */
  | Delivery
  /** It reached the translation frame beside GITS_TRANSLATER: reserved, ignored. */
  | { readonly result: "ignored"; readonly pa: Pa }
  /** It reached the ITS's control registers: the device changes the ITS itself. Nothing may ever map this frame to it. */
  | { readonly result: "control"; readonly pa: Pa; /** Bytes from the ITS's base. */ readonly offset: number }
  /** It landed elsewhere: an ordinary write of the data. */
  | { readonly result: "memory"; readonly pa: Pa }
  /** The SMMU did not let it through. */
  | { readonly result: "aborted"; readonly event?: EventRecord }
  /** The SMMU holds it until software answers: it may yet be let through, or abort. */
  | { readonly result: "stalled"; readonly event: EventRecord };

/** Physical address of GITS_TRANSLATER: what a device's MSI address must translate to. */
export const doorbellOf = (base: bigint): bigint => base + BigInt(offsets.GITS_TRANSLATER);

/** The write that a device issues as its MSI; PCI puts the EventID in the data. */
export const msiWrite = (sid: StreamId, address: Iova): Transaction => ({ sid, op: "write", iova: address, size: MSI_BYTES });

/**
 * What becomes of an MSI. `outcome` is the SMMU's answer to the write; `data` its 32 bits, the EventID at the doorbell.
 * `deviceId` comes from the bus (the StreamID or requester ID), never from the data: a device can't choose it.
 */
export const msiOf = (outcome: Outcome, data: number, deviceId: number, { base, state }: PlacedIts): Msi => {
  if (outcome.result === "abort") return { result: "aborted", ...(outcome.event === undefined ? {} : { event: outcome.event }) };
  if (outcome.result === "stall") return { result: "stalled", event: outcome.event };
  const { pa } = outcome;
  const offset = pa - base;
  if (offset < 0n || offset >= 2n * FRAME_BYTES) return { result: "memory", pa };
  if (offset < FRAME_BYTES) return { result: "control", pa, offset: Number(offset) };
  return pa === doorbellOf(base) ? deliver(state, { deviceId, eventId: data >>> 0 }) : { result: "ignored", pa };
};
