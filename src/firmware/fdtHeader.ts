/** The header of a flattened device tree (Devicetree Specification v0.4, §5.2): which bytes are which block. */
import type { Checked, Diagnostic } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";

/** Bytes of a file that this reader accepts. Linux takes 2 MiB (`MAX_FDT_SIZE`); the largest of 1851 boards has 152 KB. */
export const MAX_BLOB_BYTES = 8 << 20;

const MAGIC = 0xd00dfeed;
const HEADER_BYTES = 40;
/** The newest format that this reader knows, and the oldest that can still be read as it. */
const VERSION = 17;
const OLDEST_VERSION = 16;

/** Positions in bytes from the start of the blob; every block lies inside [header, totalSize). */
export interface Header {
  readonly totalSize: number;
  readonly version: number;
  readonly structStart: number;
  readonly structEnd: number;
  readonly stringsStart: number;
  readonly stringsEnd: number;
  readonly reservationsStart: number;
}

const error = (id: string, message: string, hint?: string): Diagnostic => ({
  id,
  severity: "error",
  message,
  ...(hint === undefined ? {} : { hint }),
});
const warning = (id: string, message: string): Diagnostic => ({ id, severity: "warning", message });

const startsWith = (bytes: Uint8Array, text: string): boolean =>
  bytes.length >= text.length && bytes.subarray(0, text.length).every((byte, i) => byte === text.charCodeAt(i));

/** What the file seems to be instead, for the most common mistakes. */
const otherFormat = (bytes: Uint8Array): string => {
  const head = bytes.subarray(0, 4096);
  const text = String.fromCharCode(...head);
  if (/^\s*(\/\*|\/\/|\/dts-v1\/|#include|\/ *\{)/.test(text)) return "this looks like device-tree source: compile it first, dtc -O dtb -o board.dtb board.dts";
  if (startsWith(bytes, "\xed\xfe\x0d\xd0")) return "the bytes of every word are swapped; a device-tree blob is big-endian";
  if (startsWith(bytes, "\x1f\x8b")) return "this is a gzip file: unpack it first";
  return "a device-tree blob starts with the bytes d0 0d fe ed";
};

const versionFault = (version: number, lastCompatible: number): string | undefined => {
  if (lastCompatible > version) return `says version ${version} but compatible back to ${lastCompatible}, which is later`;
  if (lastCompatible > VERSION) return `needs a reader of version ${lastCompatible}; this one knows ${VERSION}`;
  return version < OLDEST_VERSION ? `has version ${version}; the oldest that is read here is ${OLDEST_VERSION}` : undefined;
};

/** `[offset, offset + size)` inside the blob and past its header; written so that no sum can overflow. */
const inside = (offset: number, size: number, totalSize: number, headerBytes: number): boolean =>
  offset >= headerBytes && offset <= totalSize && size <= totalSize - offset;

const blockFaults = (header: Header): Diagnostic[] => {
  const { totalSize, structStart, structEnd, stringsStart, stringsEnd, reservationsStart } = header;
  const headerBytes = header.version >= 17 ? HEADER_BYTES : HEADER_BYTES - 4;
  const faults: Diagnostic[] = [];
  const block = (name: string, start: number, end: number): void => {
    if (inside(start, end - start, totalSize, headerBytes)) return;
    faults.push(error("dtb-block-bounds", `the ${name} block, [${hex(start)}, ${hex(end)}), does not lie between the header and the end of the blob, ${hex(totalSize)}`));
  };
  block("structure", structStart, structEnd);
  block("strings", stringsStart, stringsEnd);
  block("memory reservation", reservationsStart, reservationsStart);
  if (structStart % 4 !== 0) faults.push(error("dtb-misaligned", `the structure block starts at ${hex(structStart)}, not a multiple of 4`));
  if (reservationsStart % 8 !== 0) faults.push(error("dtb-misaligned", `the memory reservation block starts at ${hex(reservationsStart)}, not a multiple of 8`));
  return faults;
};

const headerWarnings = (header: Header, fileBytes: number): Diagnostic[] => {
  const warnings: Diagnostic[] = [];
  if (fileBytes > header.totalSize) {
    warnings.push(warning("dtb-trailing-bytes", `the file has ${hex(fileBytes - header.totalSize)} bytes after the end of the device tree`));
  }
  if (header.version >= 17 && header.structStart < header.stringsEnd && header.stringsStart < header.structEnd) {
    warnings.push(warning("dtb-blocks-overlap", "the structure block and the strings block overlap"));
  }
  return warnings;
};

/** Reads and checks the header; the offsets of a returned header are safe to use. */
export const readHeader = (bytes: Uint8Array): Checked<Header> => {
  const refused = (...faults: Diagnostic[]): Checked<Header> => ({ value: undefined, diagnostics: faults });
  if (bytes.length > MAX_BLOB_BYTES) {
    return refused(error("dtb-too-large", `the file has ${bytes.length} bytes; the limit of this reader is ${MAX_BLOB_BYTES}`));
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 0) return refused(error("dtb-truncated", "the file is empty"));
  if (bytes.length >= 4 && view.getUint32(0) !== MAGIC) {
    return refused(error("dtb-bad-magic", `not a device-tree blob: it starts with ${hex(view.getUint32(0))}`, otherFormat(bytes)));
  }
  if (bytes.length < HEADER_BYTES) return refused(error("dtb-truncated", `the file has ${bytes.length} bytes, fewer than a header`));
  const cell = (index: number): number => view.getUint32(index * 4);
  const [totalSize, structStart, stringsStart, reservationsStart] = [cell(1), cell(2), cell(3), cell(4)];
  if (totalSize > bytes.length) {
    return refused(error("dtb-truncated", `the header says ${totalSize} bytes, the file has ${bytes.length}`, "the file was cut short: copy it again"));
  }
  if (totalSize < HEADER_BYTES) return refused(error("dtb-block-bounds", `the header says ${totalSize} bytes, fewer than the header has itself`));
  const version = cell(5);
  const fault = versionFault(version, cell(6));
  if (fault !== undefined) return refused(error("dtb-version", `the blob ${fault}`));
  const structEnd = version >= 17 ? structStart + cell(9) : Math.max(structStart, totalSize);
  const header: Header = { totalSize, version, structStart, structEnd, stringsStart, stringsEnd: stringsStart + cell(8), reservationsStart };
  const faults = blockFaults(header);
  return faults.length > 0 ? refused(...faults) : { value: header, diagnostics: headerWarnings(header, bytes.length) };
};
