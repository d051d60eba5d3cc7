// SPDX-License-Identifier: Apache-2.0

// A server of 2026-07-28 with the tasks extension, over stdin and stdout. By
// hand: the SDK has no tasks for this revision.

import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const TASKS = 'io.modelcontextprotocol/tasks';
const META = 'io.modelcontextprotocol/';
const TTL_MS = 600_000;

const send = (message) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const fault = (code, message, data) => Object.assign(new Error(message), { code, data });
const says = (text, isError = false) => ({ content: [{ type: 'text', text }],
  ...isError ? { isError } : {} });
const object = (properties = {}) => ({ type: 'object', properties });
const string = { type: 'string' };

const form = (message, properties) => ({ method: 'elicitation/create',
  params: { message, requestedSchema: object(properties) } });
const confirm = (message) => form(message, { confirm: { type: 'boolean' } });

const tasks = new Map();

// What a task tells of itself.
function told({ id, status, created, updated, inputRequests, result, error }) {
  return { taskId: id, status, createdAt: created, lastUpdatedAt: updated,
    ttlMs: TTL_MS, pollIntervalMs: 100,
    ...status === 'input_required' ? { inputRequests } : {},
    ...result === undefined ? {} : { result },
    ...error === undefined ? {} : { error } };
}

function turn(task, status, more = {}) {
  if (task.signal.aborted) return;
  Object.assign(task, more, { status, updated: new Date().toISOString() });
}

// A task runs its job until that ends, or until it is cancelled.
function start(job, input) {
  const now = new Date().toISOString();
  const stop = new AbortController();
  const task = { id: randomUUID(), status: 'working', created: now, updated: now,
    signal: stop.signal, stop, inputRequests: {}, given: {} };
  tasks.set(task.id, task);
  job(input, task).then((result) => turn(task, 'completed', { result }),
    ({ code = -32603, message }) => turn(task, 'failed', { error: { code, message } }));
  return task;
}

// Waits until each of the requests has its answer.
function ask(task, inputRequests) {
  turn(task, 'input_required', { inputRequests });
  return new Promise((resolve) => { task.resume = resolve; });
}

const jobs = {
  async slow_compute({ seconds = 0, label = '' }, { signal } = {}) {
    await sleep(seconds * 1000, undefined, { signal });
    return says(`Computed ${label} for ${seconds} s`);
  },
  async failing_job() {
    await sleep(1000);
    return says('The job failed', true);
  },
  async protocol_error_job() {
    await sleep(100);
    throw fault(-32603, 'The job broke');
  },
  async confirm_delete({ filename }, task) {
    const { confirmed } = await ask(task, { confirmed: confirm(`Delete ${filename}?`) });
    return says(confirmed.action === 'accept' ? `Deleted ${filename}` : 'Kept');
  },
  async multi_input(_, task) {
    await ask(task, { first: confirm('The first?'), second: confirm('The second?') });
    return says('Both were answered');
  },
  test_tool_with_task: async ({ name }) => says(`Hello, ${name}!`),
};

const tools = {
  greet: object({ name: string }),
  slow_compute: object({ seconds: { type: 'number' }, label: string }),
  failing_job: object(),
  protocol_error_job: object(),
  confirm_delete: object({ filename: string }),
  multi_input: object(),
  test_tool_with_task: object(),
};
const REQUIRED = ['failing_job', 'confirm_delete', 'multi_input', 'test_tool_with_task'];

const capabilitiesOf = (params) => params._meta?.[`${META}clientCapabilities`] ?? {};
const takesTasks = (params) =>
  capabilitiesOf(params).extensions?.[TASKS] !== undefined;

function needTasks(params) {
  if (takesTasks(params)) return;
  throw fault(-32021, 'this needs the tasks extension',
    { requiredCapabilities: { extensions: { [TASKS]: {} } } });
}

async function callTool(params) {
  const { name, arguments: input = {}, inputResponses } = params;
  if (name === 'greet') return says(`Hello, ${input.name}!`);
  const job = jobs[name];
  if (job === undefined) throw fault(-32602, `there is no tool ${name}`);
  if (REQUIRED.includes(name)) needTasks(params);
  if (!takesTasks(params)) return job(input);
  if (name === 'test_tool_with_task') {
    const given = inputResponses?.user_name?.content?.name;
    if (given === undefined) {
      return { resultType: 'input_required',
        inputRequests: { user_name: form('What is your name?', { name: string }) } };
    }
    input.name = given;
  }
  return { resultType: 'task', ...told(start(job, input)) };
}

function taskOf(params) {
  needTasks(params);
  const task = tasks.get(params.taskId);
  if (task === undefined) throw fault(-32602, `there is no task ${params.taskId}`);
  return task;
}

function update(params) {
  const task = taskOf(params);
  for (const [key, answer] of Object.entries(params.inputResponses ?? {})) {
    if (task.inputRequests[key] === undefined) continue;
    task.given[key] = answer;
    delete task.inputRequests[key];
  }
  if (task.status === 'input_required' && Object.keys(task.inputRequests).length === 0) {
    turn(task, 'working');
    task.resume(task.given);
  }
  return {};
}

function cancel(params) {
  const task = taskOf(params);
  if (!['completed', 'failed', 'cancelled'].includes(task.status)) {
    turn(task, 'cancelled');
    task.stop.abort();
  }
  return {};
}

const fresh = { ttlMs: 0, cacheScope: 'private' };

const methods = {
  'server/discover': () => ({ supportedVersions: ['2026-07-28'],
    capabilities: { tools: {}, extensions: { [TASKS]: {} } }, ...fresh,
    _meta: { [`${META}serverInfo`]: { name: 'tasks', version: '1.0.0' } } }),
  'tools/list': () => ({ ...fresh, tools: Object.entries(tools).map(
    ([name, inputSchema]) => ({ name, description: name, inputSchema })) }),
  'tools/call': callTool,
  'tasks/get': (params) => told(taskOf(params)),
  'tasks/update': update,
  'tasks/cancel': cancel,
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, method, params = {} } = JSON.parse(line);
  if (id === undefined) return;
  try {
    if (methods[method] === undefined) throw fault(-32601, `no method ${method}`);
    send({ id, result: { resultType: 'complete', ...await methods[method](params) } });
  } catch ({ code = -32603, message, data }) {
    send({ id, error: { code, message, data } });
  }
});
