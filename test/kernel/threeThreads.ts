/** Three threads `a`, `b` and `c` that share an endpoint (slot 2, badged apart from 3) and a notification (slot 4), for tests; `a` holds the threads, and more. */
import { openSystem, type OpenSystem } from "./openSystem.ts";

const shared = `      1: cnode
      2: { endpoint: channel }
      4: { notification: bell }`;
const firstState = `first-state: three-threads
components:
  a:
    cspace:
${shared}
      3: { endpoint: channel, badge: 0xa }
      5: { notification: bell, badge: 0x1 }
      6: { notification: bell, badge: 0x6 }
      7: thread
      8: { thread: b }
      9: { thread: c }
      10: { untyped: 14 }
      11: irq-control
      12: { cnode: b, guard-size: 56 }
      13: { untyped: 12 }
      14: { endpoint: other }
      15: { vspace: a, asid: 1 }
  b:
    cspace:
${shared}
      3: { endpoint: channel, badge: 0xb }
      14: { endpoint: other }
  c:
    cspace:
${shared}
      3: { endpoint: channel, badge: 0xc }
      14: { endpoint: other }
`;

export const threeThreads = (): OpenSystem => openSystem("sel4-smmuv2", firstState);
