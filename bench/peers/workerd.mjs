// SPDX-License-Identifier: Apache-2.0
// workerd's dynamic worker loader: a fresh isolate for every
// call, in one workerd process. Driven over HTTP on a Unix socket; the row of
// the static service says what that hop costs.
import { openWorkerd } from '../lib/workerd.mjs';

export default {
  open: (task) => openWorkerd(task, 'fresh'),
};
