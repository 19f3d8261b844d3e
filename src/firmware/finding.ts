import type { Diagnostic, Severity } from "../base/diagnostic.ts";
import type { DeviceNode } from "./deviceTree.ts";

/** A diagnostic about one node of a readable tree. Paths are checked names, so they are safe to print. */
export const finding = (id: string, severity: Severity, node: DeviceNode, message: string, hint?: string): Diagnostic => ({
  id,
  severity,
  message: `${node.path}: ${message}`,
  place: { path: node.path },
  ...(hint === undefined ? {} : { hint }),
});
