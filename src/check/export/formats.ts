/** What a counterexample can be turned into, beside its own JSON. */
export const exportFormats = ["vitest", "mermaid", "itf", "sarif", "junit"] as const;
export type ExportFormat = (typeof exportFormats)[number];
