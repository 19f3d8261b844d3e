/** For each quirk the smallest configuration where it shows: what the architecture says to one read, and what comes of the quirk. */
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { Quirk } from "../../src/smmuv3/quirks.ts";
import { type MachineConfiguration, SID } from "./smmu.ts";

interface QuirkCase {
  readonly configuration: MachineConfiguration;
  readonly iova: bigint;
  readonly architecture: string;
  readonly quirky: string;
}

const STREAM_TABLE = 0x4200_0000n;
const ROOT = 0x4400_0000n;
/** A level-1 block, readable and writable, that maps the first GiB onto RAM. */
const BLOCK = 0x4000_0000n | 0x7fdn;
const TO_DATA = 0x600_0000n;
const DATA = "pa 0x46000000";

type Stores = readonly (readonly [bigint, bigint])[];
const entry = (fields: Parameters<typeof Ste.encode>[0], base = STREAM_TABLE): Stores =>
  Ste.encode({ V: 1n, Config: "s2", S2VMID: 1n, S2T0SZ: 25n, S2SL0: 1n, S2PS: "44", S2AA64: 1n, S2R: 1n, S2TTB: ROOT, ...fields }).map((value, at) => [base + BigInt(SID * 64 + at * 8), value]);

const showing = (stores: Stores, iova: bigint, architecture: string, quirky: string, registers: Partial<MachineConfiguration> = {}): QuirkCase => ({
  configuration: { stores: new Map(stores), enabled: true, gbpa: 0x1000, cr2: 0, streamTable: STREAM_TABLE, streamTableCfg: 6, ...registers },
  iova,
  architecture,
  quirky,
});

/** Outcomes as the SMMU's tests write them. */
export const quirkCases = {
  badStreamRecorded: showing([], 0n, "abort", "C_BAD_STREAMID", { streamTableCfg: 5 }),
  streamTableHalfAligned: showing(entry({ Config: "bypass" }, STREAM_TABLE + 0x800n), 0x4600_0000n, "C_BAD_STE", DATA, { streamTable: STREAM_TABLE + 0x800n }),
  bypassUnchecked: showing(entry({ Config: "bypass" }), 1n << 44n, "F_ADDR_SIZE read s2=0 IN 0x100000000000", "pa 0x100000000000"),
  wideInputSilent: showing(entry({}), 1n << 44n, "F_ADDR_SIZE read s2=0 IN 0x100000000000", "abort"),
  rootOf48Bits: showing([...entry({ S2TTB: (1n << 48n) | ROOT }), [ROOT, BLOCK]], TO_DATA, "C_BAD_STE", DATA),
  stage1FieldsChecked: showing([...entry({ S1STALLD: 1n }), [ROOT, BLOCK]], TO_DATA, DATA, "C_BAD_STE"),
  hardwareUpdateIgnored: showing([...entry({ S2HA: 1n }), [ROOT, BLOCK]], TO_DATA, "C_BAD_STE", DATA),
  smallInputAccepted: showing([...entry({ S2T0SZ: 34n }), [ROOT, BLOCK]], TO_DATA, "C_BAD_STE", DATA),
  concatenationIgnored: showing([...entry({ S2T0SZ: 24n }), [ROOT, BLOCK]], (1n << 39n) | TO_DATA, "F_TRANSLATION read s2=1 IN 0x8006000000 ipa 0x8006000000", DATA),
  addressSizeLast: showing([...entry({ S2T0SZ: 32n, S2PS: "32" }), [ROOT, (1n << 32n) | 0x3fdn]], 0n, "F_ADDR_SIZE read s2=1 IN 0x0 ipa 0x0", "F_ACCESS read s2=1 IN 0x0 ipa 0x0"),
  blockAnywhere: showing([...entry({ S2T0SZ: 20n, S2SL0: 2n }), [ROOT, 0x7fdn]], 0x4600_0000n, "F_TRANSLATION read s2=1 IN 0x46000000 ipa 0x46000000", DATA),
  faultAddressWhole: showing(entry({}), 0x678n, "F_TRANSLATION read s2=1 IN 0x678 ipa 0x0", "F_TRANSLATION read s2=1 IN 0x678 ipa 0x678"),
} satisfies Partial<Record<Quirk, QuirkCase>>;
