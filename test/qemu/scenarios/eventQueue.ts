/** The event queue: one record for each transaction that faults, and what happens when it is full. */
import { offsets } from "../../../specs/smmuv3/registers.ts";
import { hex } from "../../../src/base/words.ts";
import type { HistoryStep } from "../../../src/smmuv3/history.ts";
import { DATA, leaf, read, stage1, VA, write } from "./building.ts";
import { agreed, differing, type Scenario } from "./scenario.ts";

const UNMAPPED = VA + 0x1000n;
const fault = (access: "read" | "write", at: bigint): string => `F_TRANSLATION sid 0x18 ${access} s2=0 IN ${hex(at)}`;
/** An access of more than 4 bytes, as the transactions that it is on the bus. */
const inPieces = (access: (address: bigint) => HistoryStep, from: bigint, bytes: number): HistoryStep[] => Array.from({ length: bytes / 4 }, (_, at) => access(from + BigInt(at * 4)));
const faults = (access: "read" | "write", count: number): string[] => Array.from({ length: count }, (_, at) => fault(access, UNMAPPED + BigInt(at * 4)));
const unread = (count: number): string[] => Array.from({ length: count }, () => "abort");

/** OVFLG toggles once, when the first record finds no room. */
const overflown = { architecture: { EVENTQ_PROD: 0x8000_0020n, EVENTQ_CONS: 0n, GERROR: 0n }, qemu: { EVENTQ_PROD: 0x20n, EVENTQ_CONS: 0n, GERROR: 4n } } as const;
/** Software has read everything, and says that it knows of what was lost. */
const acknowledged: HistoryStep = { kind: "register", offset: offsets.EVENTQ_CONS, value: 0x8000_0020n, size: 4 };

export const eventQueue: readonly Scenario[] = [
  agreed("of an access over two pages, only the part that is not mapped faults", [...stage1({}, [[VA, leaf(DATA)]]), ...inPieces(read, VA + 0xffcn, 8)], ["pa 0x41003ffc", fault("read", UNMAPPED)]),
  agreed("an unmapped access of 8 bytes is two faults where the bus has 4", [...stage1(), ...inPieces(read, UNMAPPED, 8)], faults("read", 2)),
  differing(
    "of 64 faults, 32 fit; the overflow is told by EVENTQ_PROD.OVFLG",
    [...stage1(), ...inPieces(write, UNMAPPED, 256)],
    [...faults("write", 32), ...unread(32)],
    [...faults("write", 32), ...unread(32)],
    { reset: { pileUp: true }, registers: overflown },
  ),
  agreed("a queue that is just full has not overflown", [...stage1(), ...inPieces(read, UNMAPPED, 128)], faults("read", 32), {
    reset: { pileUp: true },
    registers: { architecture: { EVENTQ_PROD: 0x20n, GERROR: 0n }, qemu: { EVENTQ_PROD: 0x20n, GERROR: 0n } },
  }),
  differing(
    "two faults beyond a full queue toggle OVFLG once",
    [...stage1(), ...inPieces(read, UNMAPPED, 136)],
    [...faults("read", 32), ...unread(2)],
    [...faults("read", 32), ...unread(2)],
    { reset: { pileUp: true }, registers: overflown },
  ),
  differing(
    "records are written again once there is room",
    [...stage1(), ...inPieces(read, UNMAPPED, 132), acknowledged, read(UNMAPPED)],
    [...faults("read", 32), ...unread(1), fault("read", UNMAPPED)],
    [...faults("read", 32), ...unread(1), fault("read", UNMAPPED)],
    { reset: { pileUp: true }, registers: { architecture: { EVENTQ_PROD: 0x8000_0021n, EVENTQ_CONS: 0x8000_0020n, GERROR: 0n }, qemu: { EVENTQ_PROD: 0x21n, EVENTQ_CONS: 0x8000_0020n, GERROR: 4n } } },
  ),
  agreed("without EVENTQEN nothing is recorded", [...stage1(), { kind: "register", offset: offsets.CR0, value: 9n, size: 4 }, read(UNMAPPED)], ["abort"], {
    registers: { architecture: { EVENTQ_PROD: 0n, GERROR: 0n }, qemu: { EVENTQ_PROD: 0n, GERROR: 0n } },
  }),
];
