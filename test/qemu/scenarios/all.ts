/** Every scenario, by what it is about. */
import { caching } from "./caching.ts";
import { commands } from "./commands.ts";
import { contextDescriptor } from "./contextDescriptor.ts";
import { eventQueue } from "./eventQueue.ts";
import { nestedWalks } from "./nested.ts";
import { oneStage } from "./oneStage.ts";
import type { Scenario } from "./scenario.ts";
import { stage1Walks } from "./stage1.ts";
import { stage2Walks } from "./stage2.ts";
import { streamTable } from "./streamTable.ts";
import { twoLevelTables } from "./twoLevel.ts";

export const scenarios: readonly Scenario[] = [...streamTable, ...twoLevelTables, ...contextDescriptor, ...stage1Walks, ...stage2Walks, ...nestedWalks, ...caching, ...commands, ...eventQueue, ...oneStage];
