/** Spec text to layout: the stages in a row, without touching a file. */
import { createHash } from "node:crypto";
import { hasError, printable, type Checked, type Diagnostic } from "../base/diagnostic.ts";
import { readBoard, type Board } from "../firmware/board.ts";
import type { Topology } from "../firmware/topology.ts";
import { allocate } from "./allocate.ts";
import type { BoardFile } from "./devices.ts";
import type { Layout } from "./layout.ts";
import { resolve, type Resolved } from "./resolve.ts";
import { decodeSpec, type SpecDocument } from "./spec.ts";

export interface PlanInput {
  readonly specText: string;
  /** Path as the user gave it: printed in places, recorded without its folders. */
  readonly specFile: string;
  /** Bytes of the file at this path, which is relative to the spec's folder; undefined when it cannot be read. */
  readonly readBoard: (relative: string) => Uint8Array | undefined;
}

export interface Plan {
  readonly layout: Layout;
  readonly topology: Topology;
  /** Findings that did not stop the plan, those of the board that concern it included. */
  readonly warnings: readonly Diagnostic[];
}

const sha256 = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");
const fileName = (path: string): string => printable(path.split(/[/\\]/u).at(-1) ?? path);

const missingBoard = ({ spec, places }: SpecDocument): Diagnostic => ({
  id: "board-not-found",
  severity: "error",
  message: `cannot read the board \`${printable(spec.board)}\``,
  place: places.value(["board"]),
  hint: "the path is relative to the folder of the spec",
});

/** Findings of a board, in the board's file. */
const inBoard = (diagnostics: readonly Diagnostic[], file: string): readonly Diagnostic[] => diagnostics.map((diagnostic) => ({ ...diagnostic, place: { ...diagnostic.place, file } }));

/** A blob that reads well and yet is no board. */
const NO_BOARD: ReadonlySet<string> = new Set(["unapplied-overlay"]);

const openBoard = (document: SpecDocument, read: PlanInput["readBoard"]): Checked<BoardFile> => {
  const { board: path } = document.spec;
  const bytes = read(path);
  if (bytes === undefined) return { value: undefined, diagnostics: [missingBoard(document)] };
  const { value: board, diagnostics } = readBoard(bytes);
  const fatal = board?.topology.diagnostics.filter(({ id, severity }) => severity === "error" && NO_BOARD.has(id)) ?? [];
  if (board === undefined || fatal.length > 0) return { value: undefined, diagnostics: inBoard([...diagnostics, ...fatal], printable(path)) };
  return { value: { file: path, sha256: sha256(bytes), board }, diagnostics: [] };
};

/**
 * What the board's reader said about the nodes that the plan rests on. An error there was no obstacle to this plan, so
 * it is passed on as a warning; a stream shared with others is reported where the spec names the device.
 */
const concerning = ({ topology }: Board, file: string, { devices, smmus }: Resolved): readonly Diagnostic[] => {
  const nodes = new Set([...devices.map((device) => device.node), ...smmus.map((smmu) => smmu.path)]);
  const found = topology.diagnostics.filter(({ id, severity, place }) => severity !== "info" && id !== "shared-stream" && nodes.has(place?.path ?? ""));
  return inBoard(found.map((diagnostic) => ({ ...diagnostic, severity: "warning" })), printable(file));
};

/** A verdict assumes coherent walks; a board that says otherwise needs cache cleaning that the driver does not do. */
const notCoherent = ({ topology }: Board, file: string, { smmus }: Resolved): readonly Diagnostic[] =>
  inBoard(
    topology.smmus
      .filter((iommu) => !iommu.coherent && smmus.some(({ path }) => path === iommu.path))
      .map(({ path }) => ({
        id: "smmu-not-coherent",
        severity: "warning",
        message: `the SMMU ${printable(path)} does not walk tables coherently, and every verdict assumes that it does`,
        place: { path },
        hint: "its driver must also clean the data cache after each store; that is not modelled",
      })),
    printable(file),
  );

/** Plans a system. The value is absent exactly when an error was found; each stage reports all that it found. */
export const planSystem = (input: PlanInput): Checked<Plan> => {
  const file = printable(input.specFile);
  const document = decodeSpec(input.specText, file);
  if (document.value === undefined) return { value: undefined, diagnostics: document.diagnostics };
  const boardFile = openBoard(document.value, input.readBoard);
  if (boardFile.value === undefined) return { value: undefined, diagnostics: boardFile.diagnostics };
  const resolved = resolve(document.value, boardFile.value);
  if (resolved.value === undefined) return { value: undefined, diagnostics: resolved.diagnostics };
  const { board, sha256: boardHash } = boardFile.value;
  const origin = {
    board: { file: fileName(boardFile.value.file), model: printable(board.model), sha256: boardHash },
    spec: { file: fileName(input.specFile), sha256: sha256(input.specText) },
  };
  const layout = allocate(resolved.value, document.value.places, origin);
  const warnings = [...resolved.diagnostics, ...layout.diagnostics, ...concerning(board, boardFile.value.file, resolved.value), ...notCoherent(board, boardFile.value.file, resolved.value)];
  if (layout.value === undefined || hasError(warnings)) return { value: undefined, diagnostics: warnings };
  return { value: { layout: layout.value, topology: board.topology, warnings }, diagnostics: warnings };
};
