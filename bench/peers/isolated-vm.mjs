// SPDX-License-Identifier: Apache-2.0
// A fresh isolate for every call, in the host's process.
import ivm from 'isolated-vm';
import { ivmSession, ivmWork } from '../lib/ivm.mjs';

export default {
  open: (task) => ivmSession(task, () => new ivm.Isolate({ memoryLimit: 256 }), [ivmWork(task).source]),
};
