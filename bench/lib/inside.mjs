// SPDX-License-Identifier: Apache-2.0
// What a worker or a child evaluates: the workload as one module that answers
// through `reply(text)`, which the peer defines in `prologue`.

export function moduleText(task, prologue) {
  if (task.kind === 'tool')
    return `${prologue}\n${task.source}\nreply(JSON.stringify(run(JSON.parse(${JSON.stringify(task.input)}))));\n`;
  const { url, ...init } = task.request;
  return `${prologue}
import server from ${JSON.stringify('file://' + task.file)};
const response = await server.fetch(new Request(${JSON.stringify(url)}, ${JSON.stringify(init)}), {}, { waitUntil() {} });
reply(await response.text());
`;
}
