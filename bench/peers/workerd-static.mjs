// SPDX-License-Identifier: Apache-2.0
// The same tool as a service of workerd's own configuration: one warm isolate
// serves every call. The bound of what a shared isolate can do.
import { openWorkerd } from '../lib/workerd.mjs';

export default {
  async open(task) {
    const { hold, ...session } = await openWorkerd(task, 'static');
    return session;
  },
};
