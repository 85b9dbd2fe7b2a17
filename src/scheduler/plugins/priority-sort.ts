import type { PluginFactory } from '../contract.ts';

/** Orders the queue: higher priority first, then who waits longer. upstream: plugins/queuesort. */
export const prioritySort: PluginFactory = () => ({
  name: 'PrioritySort',
  events: () => [],
  less: (a, b) => a.info.priority > b.info.priority || (a.info.priority === b.info.priority && a.timestamp < b.timestamp),
});
