/** What may be used until it is invalidated, and which command invalidates it. */
import { hex } from "../../../src/base/words.ts";
import {
  boot, bare, block, cfgiCd, cfgiSte, CONTEXT, DATA, entry, indexAt, leaf, leaf2, type Mapping, read, ROOT, ROOT_OTHER, stage1, stage2, STAGE_2_ROOT, stage2Fields, type Steps, store, sync, TABLE_SPACING, tables, tlbi, usualContext, VA,
} from "./building.ts";
import { agreed, differing, type ExpectedOutcome, type Scenario } from "./scenario.ts";

const LEVEL_3 = ROOT + 2n * TABLE_SPACING;
const place = (address: bigint, root = ROOT): bigint => root + (LEVEL_3 - ROOT) + indexAt(address, 3) * 8n;
const NEXT = VA + 0x1000n;
const mapped = (output: bigint): string => `pa ${hex(output)}`;
const unmapped = (address: bigint): string => `F_TRANSLATION sid 0x18 read s2=0 IN ${hex(address)}`;

/** A history in which whatever was cached may be used or not; QEMU uses it. */
const either = (name: string, history: Steps, outcomes: readonly ExpectedOutcome[]): Scenario =>
  differing(name, history, outcomes, outcomes.map((outcome) => (typeof outcome === "string" ? outcome : outcome[0])));

const other = 0x4100_8000n;
const changed: Steps = [...stage1(), read(VA), store(place(VA), leaf(other))];
const stale = [mapped(DATA), mapped(other)] as const;

const pages: readonly Scenario[] = [
  either("a page that was remapped may be used until TLBI", [...changed, read(VA)], [mapped(DATA), stale]),
  either("TLBI_NH_VA of another ASID leaves a page", [...changed, tlbi("TLBI_NH_VA", { ASID: 6n, Address: VA }), read(VA)], [mapped(DATA), stale]),
  either("TLBI_NH_VA of another VMID leaves a page", [...changed, tlbi("TLBI_NH_VA", { ASID: 5n, VMID: 9n, Address: VA }), read(VA)], [mapped(DATA), stale]),
  agreed("TLBI_NH_VA of the ASID and VMID invalidates a page", [...changed, tlbi("TLBI_NH_VA", { ASID: 5n, Address: VA }), sync, read(VA)], [mapped(DATA), mapped(other)]),
  agreed("TLBI_NH_ASID invalidates the pages of an ASID", [...changed, tlbi("TLBI_NH_ASID", { ASID: 5n }), sync, read(VA)], [mapped(DATA), mapped(other)]),
  agreed("TLBI_NH_VAA invalidates a page of every ASID", [...changed, tlbi("TLBI_NH_VAA", { Address: VA }), sync, read(VA)], [mapped(DATA), mapped(other)]),
  either("TLBI_NH_VA of another page leaves a page", [...changed, tlbi("TLBI_NH_VA", { ASID: 5n, Address: NEXT }), read(VA)], [mapped(DATA), stale]),
  agreed("a page that was unmapped needs no TLBI once it is mapped", [...stage1(), read(NEXT), store(place(NEXT), leaf(0x4100_a000n)), read(NEXT)], [unmapped(NEXT), mapped(0x4100_a000n)]),
  agreed(
    "TLBI_NH_VA of a range invalidates all of its pages",
    [
      ...stage1({}, [[VA, leaf(DATA)], [NEXT, leaf(0x4100_4000n)]]),
      read(VA), read(NEXT), store(place(VA), 0n), store(place(NEXT), 0n),
      tlbi("TLBI_NH_VA", { ASID: 5n, Address: VA, TG: "4K", Num: 1n }), sync, read(VA), read(NEXT),
    ],
    [mapped(DATA), mapped(0x4100_4000n), unmapped(VA), unmapped(NEXT)],
  ),
];

const TAGGED = VA | (0x5an << 56n);
const many = Array.from({ length: 256 }, (_, at) => (VA & ~0x1f_ffffn) + BigInt(at) * 0x1000n);
const held: readonly Scenario[] = [
  differing(
    "TLBI_NH_VA invalidates a page whatever tag it was reached by",
    [...stage1({ TBI0: 1n }), read(TAGGED), store(place(VA), leaf(other)), tlbi("TLBI_NH_VA", { ASID: 5n, Address: VA }), sync, read(TAGGED)],
    [mapped(DATA), mapped(other)],
    [mapped(DATA), mapped(DATA)],
  ),
  differing(
    "a TLB may be full",
    [...stage1({}, [[VA, leaf(DATA)], ...many.map((at): Mapping => [at, leaf(0x4108_0000n + (at & 0xf_f000n))])]), read(VA), store(place(VA), leaf(other)), ...many.map((at) => read(at)), read(VA)],
    [mapped(DATA), ...many.map((at) => mapped(0x4108_0000n + (at & 0xf_f000n))), stale],
    [mapped(DATA), ...many.map((at) => mapped(0x4108_0000n + (at & 0xf_f000n))), mapped(other)],
  ),
];

const globalChanged: Steps = [...stage1({}, [[VA, leaf(DATA, { nG: 0n })]]), read(VA), store(place(VA), leaf(other, { nG: 0n }))];
const globals: readonly Scenario[] = [
  differing("TLBI_NH_VA of any ASID invalidates a global page", [...globalChanged, tlbi("TLBI_NH_VA", { ASID: 6n, Address: VA }), sync, read(VA)], [mapped(DATA), mapped(other)], [mapped(DATA), mapped(DATA)]),
  differing("TLBI_NH_ASID leaves a global page", [...globalChanged, tlbi("TLBI_NH_ASID", { ASID: 5n }), sync, read(VA)], [mapped(DATA), stale], [mapped(DATA), mapped(other)]),
  agreed("TLBI_NH_ALL invalidates a global page", [...globalChanged, tlbi("TLBI_NH_ALL"), sync, read(VA)], [mapped(DATA), mapped(other)]),
];

const IN_BLOCK = 0x12_3440_9000n;
const aBlock: readonly Mapping[] = [[IN_BLOCK, block(0x4100_0000n), 2]];
const blocks: readonly Scenario[] = [
  agreed(
    "TLBI_NH_VA without a range invalidates the block around an address",
    [...stage1({}, aBlock), read(IN_BLOCK), store(ROOT + TABLE_SPACING + indexAt(IN_BLOCK, 2) * 8n, 0n), tlbi("TLBI_NH_VA", { ASID: 5n, Address: IN_BLOCK }), sync, read(IN_BLOCK)],
    [mapped(0x4100_9000n), unmapped(IN_BLOCK)],
  ),
];

const toBypass: Steps = [...stage1(), read(VA), ...entry({ Config: "bypass" })];
/** Another root, with the same page elsewhere. */
const otherRoot = (output: bigint): Steps => tables(ROOT_OTHER, [[VA, leaf(output)]]);
const replaced: Steps = [...stage1(), read(VA), ...otherRoot(0x4100_b000n), ...usualContext({ ASID: 6n, TTB0: ROOT_OTHER })];
const sameAsid: Steps = [...stage1(), read(VA), ...otherRoot(0x4100_c000n), ...usualContext({ TTB0: ROOT_OTHER }), cfgiCd(), sync];
const configurations: readonly Scenario[] = [
  either("an entry that was changed may be used until CFGI_STE", [...toBypass, read(VA)], [mapped(DATA), [mapped(DATA), mapped(VA)]]),
  agreed("CFGI_STE invalidates an entry", [...toBypass, cfgiSte(), sync, read(0x4100_1000n)], [mapped(DATA), mapped(0x4100_1000n)]),
  either("CFGI_STE of another stream leaves an entry", [...toBypass, cfgiSte(0x10), read(VA)], [mapped(DATA), [mapped(DATA), mapped(VA)]]),
  either("a descriptor that was changed may be used until CFGI_CD", [...replaced, read(VA)], [mapped(DATA), [mapped(DATA), mapped(0x4100_b000n)]]),
  agreed("CFGI_CD invalidates a descriptor", [...replaced, cfgiCd(), sync, read(VA)], [mapped(DATA), mapped(0x4100_b000n)]),
  either("CFGI_CD leaves what was translated under the ASID", [...sameAsid, read(VA)], [mapped(DATA), [mapped(DATA), mapped(0x4100_c000n)]]),
  agreed("TLBI_NSNH_ALL invalidates every translation", [...sameAsid, bare("TLBI_NSNH_ALL"), sync, read(VA)], [mapped(DATA), mapped(0x4100_c000n)]),
];

const STAGE_2_PLACE = STAGE_2_ROOT + 2n * TABLE_SPACING + indexAt(VA, 3) * 8n;
/** A stage-2 page that lies elsewhere now, VMID 7. */
const moved: Steps = [...stage2({ S2VMID: 7n }), read(VA), store(STAGE_2_PLACE, leaf2(other))];
const stage2Faults = `F_TRANSLATION sid 0x18 read s2=1 IN ${hex(NEXT)} ipa ${hex(NEXT)}`;
const intermediate: readonly Scenario[] = [
  either("a stage-2 page that was remapped may be used until TLBI", [...moved, read(VA)], [mapped(DATA), stale]),
  either("TLBI_S2_IPA of another VMID leaves a stage-2 page", [...moved, tlbi("TLBI_S2_IPA", { VMID: 8n, Address: VA }), read(VA)], [mapped(DATA), stale]),
  either("TLBI_NH_ALL leaves what stage 2 alone translated", [...moved, tlbi("TLBI_NH_ALL", { VMID: 7n }), read(VA)], [mapped(DATA), stale]),
  agreed("TLBI_S2_IPA invalidates a stage-2 page", [...moved, tlbi("TLBI_S2_IPA", { VMID: 7n, Address: VA }), sync, read(VA)], [mapped(DATA), mapped(other)]),
  agreed("TLBI_S12_VMALL invalidates the pages of a VMID", [...moved, tlbi("TLBI_S12_VMALL", { VMID: 7n }), sync, read(VA)], [mapped(DATA), mapped(other)]),
  either("TLBI_S12_VMALL of another VMID leaves them", [...moved, tlbi("TLBI_S12_VMALL", { VMID: 8n }), sync, read(VA)], [mapped(DATA), stale]),
  agreed("a stage-2 page that was unmapped needs no TLBI once it is mapped", [...stage2(), read(NEXT), store(STAGE_2_PLACE + 8n, leaf2(other)), read(NEXT)], [stage2Faults, mapped(other)]),
  either(
    "CFGI_STE leaves what was translated under the VMID",
    [...stage2(), read(VA), ...entry({ Config: "s2", ...stage2Fields, S2TTB: ROOT_OTHER }), ...tables(ROOT_OTHER, [[VA, leaf2(other)]]), cfgiSte(), sync, read(VA)],
    [mapped(DATA), stale],
  ),
];

const notCached: readonly Scenario[] = [
  differing("an entry that was not valid may be cached as such", [...boot, read(DATA), ...entry({ Config: "bypass" }), read(DATA)], ["C_BAD_STE sid 0x18", [mapped(DATA), "C_BAD_STE sid 0x18"]], ["C_BAD_STE sid 0x18", mapped(DATA)]),
  differing(
    "CFGI_CD leaves the entry",
    [...toBypass, cfgiCd(), sync, read(VA)],
    [mapped(DATA), [mapped(DATA), mapped(VA)]],
    [mapped(DATA), mapped(VA)],
  ),
  differing(
    "a table descriptor may be cached for other pages below it",
    [...stage1({}, [[VA, leaf(DATA)], [NEXT, leaf(DATA)]]), read(VA), store(ROOT + TABLE_SPACING + indexAt(VA, 2) * 8n, 0n), read(NEXT)],
    [mapped(DATA), [unmapped(NEXT), mapped(DATA)]],
    [mapped(DATA), unmapped(NEXT)],
  ),
  differing(
    "a range of another granule leaves a page",
    [...changed, tlbi("TLBI_NH_VA", { ASID: 5n, Address: VA & ~0x3fffn, TG: "16K", Num: 1n }), sync, read(VA)],
    [mapped(DATA), stale],
    [mapped(DATA), mapped(other)],
  ),
];

/** Two streams with one ASID: what one of them filled, the other may use. */
const twoStreams: Steps = [...stage1(), ...entry({ Config: "s1", S1ContextPtr: CONTEXT }, 0x10)];
const streams: readonly Scenario[] = [
  either(
    "streams of one ASID and VMID share translations",
    [...twoStreams, read(VA, 0x10), store(place(VA), leaf(other)), read(VA)],
    [mapped(DATA), stale],
  ),
  agreed(
    "streams of different VMIDs share no translations",
    [...boot, ...entry({ Config: "s1", S1ContextPtr: CONTEXT }), ...entry({ Config: "s1", S1ContextPtr: CONTEXT, S2VMID: 9n }, 0x10), ...usualContext(), ...tables(ROOT, [[VA, leaf(DATA)]]), read(VA, 0x10), store(place(VA), leaf(other)), read(VA)],
    [mapped(DATA), mapped(other)],
  ),
];

export const caching: readonly Scenario[] = [...pages, ...held, ...globals, ...blocks, ...configurations, ...intermediate, ...notCached, ...streams];
