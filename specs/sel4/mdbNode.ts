/**
 * The derivation tree in memory: a slot (CTE) is four words, the two of its capability and then these two.
 * Source: seL4 include/object/structures_64.bf `mdb_node`, commit 1326364b.
 */
import { layout } from "../../src/base/layout.ts";

export const MdbNode = layout("mdb_node", 2, "seL4 include/object/structures_64.bf", {
  mdbPrev: { at: [63, 0], doc: "slot before this one in the derivation list" },
  mdbNext: { word: 1, at: [47, 2], unit: 4, doc: "slot after this one (field_ptr(2): bits 47:2)" },
  mdbRevocable: { word: 1, at: [1, 1], doc: "revoking reaches what was derived from it" },
  mdbFirstBadged: { word: 1, at: [0, 0], doc: "first of its badge" },
});
