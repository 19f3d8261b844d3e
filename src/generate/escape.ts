/** Text from a spec or a board, made safe for the languages that the templates print. */
import { printable } from "../base/diagnostic.ts";

/**
 * Printable ASCII: the rest is written `\u{N}`. capDL's parser reads its input in the locale, so that one letter
 * outside ASCII makes it fail under LANG=C.
 */
export const ascii = (text: string): string => printable(text).replace(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);

/** The inside of a C block comment: it can neither end nor nest, and holds no trigraph (-Wcomment, -Wtrigraphs). */
export const cComment = (text: string): string => ascii(text).replace(/\*(?=\/)|\/(?=\*)|\?(?=\?)/g, "$& ");

/** Inline Markdown (CommonMark with GFM tables and links) that shows the text as it is. */
export const markdown = (text: string): string =>
  printable(text)
    .replace(/[\\`*[\]<>|~$&#]/g, "\\$&")
    .replace(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, "\\_")
    .replace(/:\/\//g, "\\:\\/\\/")
    .replace(/\bwww\./gi, (match) => match.replace(".", "\\."));

/** A quoted label of a Mermaid flow chart, by its `#code;` entities. */
export const mermaid = (text: string): string => printable(text).replace(/[^A-Za-z0-9 _.,:@/+()=-]/gu, (character) => `#${character.codePointAt(0)};`);
