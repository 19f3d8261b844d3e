/** `cofferdam decode SNAPSHOT`: what the registers and memory of an SMMU say, as text or as one JSON document. */
import { decodeSnapshot } from "../../audit/decode.ts";
import { decodeText } from "../decodeText.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith } from "../exit.ts";
import { openSnapshotFolder } from "../snapshotFolder.ts";

/** Whatever is wrong in the snapshot's memory is told, and is no failure of this command. */
export const decode = (folder: string, json: boolean): void => {
  const opened = openSnapshotFolder(folder);
  if ("id" in opened) {
    showDiagnostics([opened]);
    return exitWith(BAD_INPUT);
  }
  const decoding = decodeSnapshot(opened.snapshot, opened.its);
  process.stdout.write(json ? `${JSON.stringify(decoding)}\n` : decodeText(decoding));
};
