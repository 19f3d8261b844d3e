import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { L1Cd } from "../../specs/smmuv3/cd.ts";
import { decodeSnapshot } from "../../src/audit/decode.ts";
import type { ContextTable } from "../../src/audit/decoding.ts";
import { iova, streamId } from "../../src/base/words.ts";
import { settingsOf } from "../../src/smmuv3/registers.ts";
import { reader } from "../../src/smmuv3/snapshot.ts";
import { translate } from "../../src/smmuv3/transaction.ts";
import { cd, imageOf, PAGE_2, record, snapshotOf, stage1Fields, stage2Fields, ste } from "./build.ts";

/** 20 bits of SubstreamID, two-level tables. */
const SUBSTREAMS = { IDR0: 0x0d44101b | (1 << 19), IDR1: 0x02730010 | (20 << 6) };
const TABLE = 0x4600_0000n;
const legal = { ...stage1Fields, TTB0: 0x4400_0000n };

const decode = (entry: Parameters<typeof ste>[1], stores: readonly (readonly [bigint, bigint])[], registers: object = {}) => decodeSnapshot(snapshotOf(imageOf([...ste(0, { V: 1n, Config: "s1", S1ContextPtr: TABLE, ...entry }), ...stores]), registers));
const brief = ({ descriptors }: ContextTable): string[] => descriptors.map(({ ssid, address, class: legality, why, addressSpace }) => `${ssid} ${address} ${legality} ${why ?? ""} ${addressSpace ?? ""}`.trim());

describe("context descriptors", () => {
  it("one: told even when it is not valid, for the stream uses it", () => {
    const [entry] = decode({}, []).entries;
    expect(entry!.contexts).toMatchObject({ shape: "one", log2Size: 0, withoutSubstream: "uses descriptor 0", invalid: 0 });
    expect(brief(entry!.contexts!)).toEqual(["0 0x46000000 illegal V=0"]);
  });

  it("say why they are illegal, and which bits are reserved", () => {
    const [entry] = decode({}, [...cd(TABLE, { ...legal, A: 0n }), [TABLE + 8n, 0x4400_0000n | (1n << 56n)]]).entries;
    expect(entry!.contexts!.descriptors[0]).toMatchObject({ class: "illegal", why: "A=0, but a terminated transaction always aborts here", reserved: ["dw1[56]"] });
  });

  it("in a linear table: each valid SubstreamID, and how many are not valid but not zero", () => {
    const { entries, addressSpaces } = decode({ S1CDMax: 10n, S1DSS: "bypass" }, [...cd(TABLE, legal), ...cd(TABLE + 64n * 700n, { ...legal, ASID: 5n }), ...cd(TABLE + 64n * 701n, { ...legal, V: 0n }), ...cd(TABLE + 64n * 1024n, legal)], SUBSTREAMS);
    expect(entries[0]!.contexts).toMatchObject({ shape: "linear", log2Size: 10, withoutSubstream: "bypasses stage 1", invalid: 1 });
    expect(brief(entries[0]!.contexts!)).toEqual(["0 0x46000000 legal  0", "700 0x4600af00 legal  0"]);
    expect(addressSpaces[0]!.users.map(({ ssid, asid }) => [ssid, asid])).toEqual([[0, 1], [700, 5]]);
  });

  it("in tables of two levels, of 64 and of 1024 descriptors", () => {
    const leaf = 0x4700_0000n;
    const [valid] = L1Cd.encode({ V: 1n, L2Ptr: leaf });
    const small = decode({ S1CDMax: 10n, S1Fmt: "leaf4K", S1DSS: "substream0" }, [...record(TABLE + 16n, [valid!]), ...cd(leaf + 64n * 3n, legal), ...record(TABLE + 24n, [valid! | (1n << 55n)]), ...record(TABLE + 32n, [valid! | 2n])], SUBSTREAMS);
    expect(small.entries[0]!.contexts).toMatchObject({
      shape: "twoLevel4K",
      withoutSubstream: "uses descriptor 0",
      problems: ["the level-1 descriptor of SubstreamIDs from 192 on points beyond what there is: 0x80000047000001", "the level-1 descriptor of SubstreamIDs from 256 on has reserved bits: dw0[1]"],
    });
    expect(brief(small.entries[0]!.contexts!)).toEqual(["131 0x470000c0 legal  0", "259 0x470000c0 legal  0"]);
    const large = decode({ S1CDMax: 12n, S1Fmt: "leaf64K" }, [...record(TABLE + 8n, [valid!]), ...cd(leaf + 64n * 1000n, legal)], SUBSTREAMS);
    expect(brief(large.entries[0]!.contexts!)).toEqual(["2024 0x4700fa00 legal  0"]);
  });

  it("behind stage 2: where they lie in both address spaces, or why they cannot be read", () => {
    const ROOT = 0x4a00_0000n;
    const entry = { ...stage2Fields, Config: "nested", S2TTB: ROOT, S1ContextPtr: 0x1040n } as const;
    const tables = [
      [ROOT, 0x4a10_0003n],
      [0x4a10_0000n, 0x4a20_0003n],
      [0x4a20_0008n, TABLE | PAGE_2],
    ] as const;
    const { entries } = decode(entry, [...tables, ...cd(TABLE + 0x40n, legal)]);
    expect(entries[0]).toMatchObject({ class: "nested", contexts: { descriptors: [{ ipa: "0x1040", address: "0x46000040", class: "legal" }] } });
    const away = decode({ ...entry, S1ContextPtr: 0x2000n }, [...tables]).entries[0]!;
    expect(away.contexts).toMatchObject({ descriptors: [], problems: ["stage 2 does not let the SMMU read 0x2000: F_TRANSLATION"] });
    const device = decode({ ...entry, S2PTW: 1n }, [...tables.slice(0, 2), [0x4a20_0008n, TABLE | 0x7c3n]]).entries[0]!;
    expect(device.contexts!.problems).toEqual(["stage 2 does not let the SMMU read 0x1040: F_PERMISSION"]);
  });

  it("stage 2 alone is an address space where stage 1 may be skipped", () => {
    const entry = { ...stage2Fields, Config: "nested", S2TTB: 0x4a00_0000n, S1CDMax: 4n, S1DSS: "bypass", S1ContextPtr: 0x4000_0000n } as const;
    const { addressSpaces } = decode(entry, [[0x4a00_0008n, 0x4000_07fdn], ...cd(0x4000_0040n, legal)], SUBSTREAMS);
    expect(addressSpaces.map(({ roots, users }) => `${roots.map(({ part }) => part).join()} ${users.map(({ ssid }) => ssid ?? "none").join()}`)).toEqual(["S2TTB none", "TTB0,S2TTB 1"]);
  });
});

const LEAVES = [0x4700_0000n, 0x4701_0000n, TABLE + 0x1000n];
const substream = fc.oneof(fc.nat(130), fc.constantFrom(0, 63, 64, 1023, 1024, 2047));
const one = fc.tuple(fc.constantFrom(TABLE, ...LEAVES), substream, fc.constantFrom<Parameters<typeof cd>[1]>(legal, { ...legal, A: 0n }, { ...legal, V: 0n }, { ...legal, T0SZ: 5n })).map(([at, index, fields]) => cd(at + BigInt(index * 64), fields));
const first = fc.tuple(fc.nat(32), fc.constantFrom(...LEAVES, 1n << 50n), fc.constantFrom(0n, 1n, 1n)).map(([index, at, V]) => record(TABLE + BigInt(index * 8), L1Cd.encode({ V, L2Ptr: at })));

describe("law", () => {
  it("a SubstreamID is listed exactly where a transaction finds its descriptor valid, and is legal where that is", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), fc.array(first, { maxLength: 8 }), fc.constantFrom("linear", "leaf4K", "leaf64K"), fc.constantFrom(1n, 6n, 11n), fc.boolean(), (contexts, firsts, S1Fmt, S1CDMax, nested) => {
        const ROOT = 0x4a00_0000n;
        const stage2 = nested ? ({ ...stage2Fields, Config: "nested", S2TTB: ROOT } as const) : {};
        const usual = S1Fmt === "linear" ? cd(TABLE + 64n, { ...legal, A: 0n }) : [...record(TABLE, L1Cd.encode({ V: 1n, L2Ptr: LEAVES[0]! })), ...cd(LEAVES[0]! + 64n, { ...legal, A: 0n })];
        const stores = [...contexts.flat(), ...(S1Fmt === "linear" ? [] : firsts.flat()), ...usual, [ROOT + 8n, 0x4000_07fdn] as const];
        const image = imageOf([...ste(0, { V: 1n, Config: "s1", S1ContextPtr: TABLE, S1Fmt, S1CDMax, S1DSS: "terminate", ...stage2 }), ...stores]);
        const snapshot = snapshotOf(image, SUBSTREAMS);
        const listed = new Map(decodeSnapshot(snapshot).entries[0]!.contexts!.descriptors.map((descriptor) => [descriptor.ssid, descriptor]));
        const settings = settingsOf(snapshot.registers);
        for (let ssid = 0; ssid < 2 ** Number(S1CDMax); ssid++) {
          const outcome = translate(reader(snapshot), settings, { sid: streamId(0), ssid, op: "read", iova: iova(0n), size: 4 });
          const type = outcome.result === "abort" ? outcome.event?.type : undefined;
          const fetched = outcome.via.filter(({ what }) => what === "CD dw0")[0];
          const valid = fetched !== undefined && ((fetched.value >> 31n) & 1n) === 1n;
          expect(listed.has(ssid), `SubstreamID ${ssid}: ${type}`).toBe(valid);
          if (!valid) continue;
          seen.add(`${S1Fmt} ${type}`);
          expect(listed.get(ssid)).toMatchObject({ address: `0x${fetched.addr.toString(16)}`, class: type === "C_BAD_CD" ? "illegal" : "legal" });
        }
      }),
      { numRuns: 60 },
    );
    expect([...seen].filter((what) => what.endsWith("C_BAD_CD")).toSorted()).toEqual(["leaf4K C_BAD_CD", "leaf64K C_BAD_CD", "linear C_BAD_CD"]);
  });
});
