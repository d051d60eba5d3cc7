// SPDX-License-Identifier: Apache-2.0
// A fresh isolate for every call out of a V8 start-up snapshot that holds the
// evaluated tool, warmed by a call.
import ivm from 'isolated-vm';
import { ivmSession, ivmWork } from '../lib/ivm.mjs';

export default {
  open(task) {
    const { source, warm } = ivmWork(task);
    const snapshot = ivm.Isolate.createSnapshot([{ code: source }], warm);
    return ivmSession(task, () => new ivm.Isolate({ memoryLimit: 256, snapshot }), []);
  },
};
