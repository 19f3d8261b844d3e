/** A machine in time for tests: a device with queues of four commands and two events, and steps by name. */
import { offsets } from "../../specs/smmuv3/registers.ts";
import { iova, streamId } from "../../src/base/words.ts";
import { createDevice, type Device } from "../../src/smmuv3/device.ts";
import type { Quirks } from "../../src/smmuv3/quirks.ts";
import { enabled, type Memory, memory, type Values, withRegisters } from "./tables.ts";

export const COMMANDS = 0xb000_0000n;
export const EVENTS = 0xb100_0000n;
const EVERYTHING: Values = { ATS: 1n, PRI: 1n, MPAM: 1n, DPT: 1n, PRIQS: 8n };
/** SMMUEN, EVENTQEN and CMDQEN. */
export const ALL_QUEUES = 0xd;

export const build = (id: Values = {}, cr0 = ALL_QUEUES, store: Memory = memory(), quirks: Quirks = {}) => {
  const registers = withRegisters(enabled({ ...EVERYTHING, ...id }), { [offsets.CMDQ_BASE]: Number(COMMANDS | 2n), [offsets.EVENTQ_BASE]: Number(EVENTS | 1n), [offsets.MPAMIDR]: 0xff, [offsets.CR0]: cr0 });
  return { store, device: createDevice({ registers, read: store.read, quirks }) };
};
export const write = (device: Device, offset: number, value: number | bigint, size: 4 | 8 = 4) => device.step({ kind: "register", offset, value: BigInt(value), size });
export const command = (device: Device, low: bigint, high = 0n) => device.step({ kind: "command", words: [low, high] });
export const value = (device: Device, offset: number): number => (device.registers().get(offset) ?? 0) >>> 0;
export const access = (device: Device, sid = 1, address = 0x1000n) => device.step({ kind: "transaction", transaction: { sid: streamId(sid), op: "read", iova: iova(address), size: 4 } });
