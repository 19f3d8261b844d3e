/** `cofferdam topology BOARD…`: which devices stand behind which SMMU, with which streams. */
import { type Diagnostic, printable } from "../../base/diagnostic.ts";
import { readBoard } from "../../firmware/board.ts";
import { topologyJson, type TopologyDocument, unreadableJson } from "../../firmware/topologyJson.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith } from "../exit.ts";
import { readBytes, unreadable } from "../files.ts";

const named = (diagnostics: readonly Diagnostic[], file: string): Diagnostic[] => diagnostics.map((diagnostic) => ({ ...diagnostic, place: { ...diagnostic.place, file } }));

const topologyText = ({ board, smmus, masters, maps, shared }: TopologyDocument): string => {
  const streams = (master: TopologyDocument["masters"][number]) => master.streams.map(({ smmu, sid, mask }) => `${sid ?? "?"}${mask === undefined || mask === "0x0" ? "" : `/${mask}`} @ ${smmu}`).join(", ");
  const off = (enabled: boolean) => (enabled ? "" : " (disabled)");
  const none = (list: readonly unknown[], what: string) => (list.length === 0 ? [`  ${what}`] : []);
  return [
    printable(board),
    ...none(smmus, "no IOMMU is described"),
    ...smmus.map(({ path, kind, enabled }) => `  ${kind} ${printable(path)}${off(enabled)}`),
    ...(smmus.length > 0 && masters.length === 0 && maps.length === 0 ? ["  no master refers to an IOMMU"] : []),
    ...masters.map((master) => `  master ${printable(master.path)}${off(master.enabled)}: ${printable(streams(master)) || "no streams"}`),
    ...maps.flatMap(({ path, entries }) => entries.map(({ ridBase, smmu, sidBase, length }) => `  map ${printable(path)}: RID ${ridBase} + ${length} -> SID ${sidBase} @ ${printable(smmu)}`)),
    ...shared.map(({ smmu, sid, masters: sharers }) => `  shared stream ${sid} @ ${printable(smmu)}: ${sharers.map(printable).join(", ")}`),
    "",
  ].join("\n");
};

export const topology = (boards: readonly string[], json: boolean): void => {
  for (const file of boards) {
    const bytes = readBytes(file);
    const { value, diagnostics } = bytes === undefined ? { value: undefined, diagnostics: [unreadable(file, "the board")] } : readBoard(bytes);
    if (value === undefined) {
      exitWith(BAD_INPUT);
      if (json) process.stdout.write(`${JSON.stringify(unreadableJson(diagnostics, file))}\n`);
      showDiagnostics(named(diagnostics, file));
      continue;
    }
    const document = topologyJson(value.topology, file);
    if (json) process.stdout.write(`${JSON.stringify(document)}\n`);
    else {
      process.stdout.write(topologyText(document));
      showDiagnostics(named(value.topology.diagnostics, file));
    }
  }
};
