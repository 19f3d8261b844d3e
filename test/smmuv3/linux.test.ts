/** Tables that Linux made: every address goes where a decoder that shares no code with the model says. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { iova, streamId } from "../../src/base/words.ts";
import { quirkSets } from "../../src/smmuv3/quirks.ts";
import { settingsOf } from "../../src/smmuv3/registers.ts";
import { reader, readSnapshot } from "../../src/smmuv3/snapshot.ts";
import { translate } from "../../src/smmuv3/transaction.ts";
import { findingsOf } from "../../tools/linux-snapshot/decoded.ts";
import { openSnapshot } from "../../tools/linux-snapshot/files.ts";
import { noted } from "../../tools/linux-snapshot/memory.ts";
import { type Case, casesOf } from "../../tools/linux-snapshot/transactions.ts";

const FOLDERS = join(import.meta.dirname, "../audit/linux");
const kinds = readdirSync(FOLDERS, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);

const casesIn = (kind: string): Case[] => {
  const { memory, registers, its, ram } = openSnapshot(join(FOLDERS, kind));
  return casesOf(findingsOf(noted(memory), registers, its), ram);
};
const wanted = ({ pa, refused }: Case): string => (pa === undefined ? refused! : `pa 0x${pa.toString(16)}`);

/** What the model answers to the transaction of each case. */
const answers = (kind: string, cases: readonly Case[], quirks: Parameters<typeof settingsOf>[1]): string[] => {
  const snapshot = readSnapshot({ regs: readFileSync(join(FOLDERS, kind, "regs.json"), "utf8"), pages: readFileSync(join(FOLDERS, kind, "pages.bin.gz")) }).value!;
  const [read, settings] = [reader(snapshot), settingsOf(snapshot.registers, quirks)];
  return cases.map(({ sid, iova: address, write }) => {
    const answer = translate(read, settings, { sid: streamId(sid), op: write ? "write" : "read", iova: iova(address), size: 4 });
    return answer.result === "ok" ? `pa 0x${answer.pa.toString(16)}` : answer.result === "abort" ? (answer.event?.type ?? "abort") : answer.result;
  });
};

describe("snapshots of a Debian guest", () => {
  it.each(kinds)("%s: both ends of every mapping, read and written, and just beyond", (kind) => {
    const cases = casesIn(kind);
    const said = cases.map(wanted);
    expect(answers(kind, cases, {})).toEqual(said);
    expect(answers(kind, cases, quirkSets["qemu-10.0"])).toEqual(said);
  });
  it("they have thousands of mappings, and refusals of each kind that Linux leaves", () => {
    const all = kinds.flatMap(casesIn);
    expect(all.length).toBeGreaterThan(30_000);
    const refusals = new Set(all.flatMap(({ refused }) => (refused === undefined ? [] : [refused])));
    expect([...refusals].toSorted()).toEqual(["F_PERMISSION", "F_TRANSLATION", "abort"]);
  });
});
