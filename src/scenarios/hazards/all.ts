/** Every hazard, in the order in which they are told. */
import type { Hazard } from "./hazard.ts";
import { asidOfTwoVspaces, invalidateAllRemovesNothing, kernelHalts, poolDeletedUnderBank, revokeDeletesNothing, staleAsidAssigned, unassignedUnderBoundStream, wrongCountAfterReuse } from "./lifetimes.ts";
import { bankCounterWraps, disabledSmmuBypasses, lastStreamKeepsFirmwares, neverBoundStream, neverBoundStreamOnBank0, pageWithoutRights } from "./streams.ts";

export const hazards: readonly Hazard[] = [
  poolDeletedUnderBank,
  staleAsidAssigned,
  kernelHalts,
  unassignedUnderBoundStream,
  revokeDeletesNothing,
  wrongCountAfterReuse,
  invalidateAllRemovesNothing,
  asidOfTwoVspaces,
  bankCounterWraps,
  neverBoundStream,
  neverBoundStreamOnBank0,
  lastStreamKeepsFirmwares,
  pageWithoutRights,
  disabledSmmuBypasses,
];
