/** Where scenes have what, in QEMU's `virt` machine with 256 MiB of memory. */
import type { MemoryRange } from "../../../src/smmuv3/snapshot.ts";
import { PLAYERS_OWN, RAM } from "../player.ts";

/** Where memory answers: blank flash, and RAM. Devices answer, too, but no scene leads a table there. */
export const MEMORY: readonly MemoryRange[] = [{ addr: 0n, size: 0x0800_0000n }, RAM];

/** Stream tables, of 4 MiB at most, and misaligned by no more. */
export const STREAM_TABLE = 0x4200_0000n;
export const STREAM_TABLE_2 = 0x4300_0000n;
/** What stage 1 points at: CDs, tables, data. 32 MiB, so that it fits the smallest stage-2 input. */
export const GUEST = 0x4400_0000n;
export const CONTEXTS = GUEST;
/** Tables are this far apart, the size of the largest. */
export const TABLE_SPACING = 0x1_0000n;
export const GUEST_TABLES = { addr: GUEST + 0x10_0000n, count: 112 } as const;
/** Where entries of a table are that stage 2 maps away from the table's other pages. */
export const ELSEWHERE = 0x80_0000n;
export const DATA = { addr: 0x4500_0000n, size: 0x0100_0000n } as const;
export const HOST_TABLES = { addr: 0x4600_0000n, count: 256 } as const;
const WRITABLE: MemoryRange = { addr: STREAM_TABLE, size: 0x0600_0000n };

/** Physical addresses where nothing answers, just beyond each output size. */
export const HOLES = [1n << 32n, 1n << 36n, 1n << 40n, 1n << 42n, 1n << 43n, 1n << 44n, 1n << 47n] as const;

const within = ({ addr, size }: MemoryRange, address: bigint): boolean => address >= addr && address < addr + size;
/** Memory that a scene may store to. */
export const isScenes = (address: bigint): boolean => within(WRITABLE, address);
const DEVICES: readonly MemoryRange[] = [
  { addr: 0x0800_0000n, size: 0x3800_0000n },
  { addr: 0x40_0000_0000n, size: 0xc0_0000_0000n },
];
export const isDevices = (address: bigint): boolean => DEVICES.some((range) => within(range, address));
/** Whether a device may be asked for this address: what is no device's, nor the player's. */
export const harmless = (address: bigint): boolean => !isDevices(address) && !within(PLAYERS_OWN, address) && address >= RAM.addr;
/** An address that names no device: one of those goes beyond 1 TiB. */
export const awayFromDevices = (address: bigint): bigint => (isDevices(address) ? address | (1n << 40n) : address);

/** Streams of the four devices. */
export { SIDS } from "../player.ts";
/** Where the player's event queue begins. */
export const EVENT_QUEUE = PLAYERS_OWN.addr + 0x2_0000n;
