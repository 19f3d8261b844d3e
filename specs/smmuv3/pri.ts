/**
 * Page requests of PCIe devices (PRI): two 64-bit words.
 * Source: IHI 0070 G.b chapter 8 "Page request queue"; Linux arm-smmu-v3.h PRIQ_*.
 */
import { layout } from "../../src/base/layout.ts";

/** An entry of the PRI queue. SSV=1 with Last=1 and neither R nor W is a Stop marker, which wants no response. */
export const PageRequest = layout("PRI queue entry", 2, 'IHI 0070 "Page request queue"', {
  SID: { at: [31, 0], doc: "StreamID" },
  SSID: { at: [51, 32], doc: "SubstreamID; unknown where SSV is 0" },
  Priv: { at: [58, 58], doc: "privileged access is asked for; 0 where SSV is" },
  X: { at: [59, 59], doc: "execution is asked for; 0 where SSV is" },
  R: { at: [60, 60], doc: "reading is asked for" },
  W: { at: [61, 61], doc: "writing is asked for" },
  Last: { at: [62, 62], doc: "the last request of its group: it wants the response" },
  SSV: { at: [63, 63], doc: "SubstreamID is valid" },
  PRGIndex: { word: 1, at: [8, 0], doc: "page request group" },
  Address: { word: 1, at: [63, 12], unit: 4096, doc: "page" },
});
