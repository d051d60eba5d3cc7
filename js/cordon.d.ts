// SPDX-License-Identifier: Apache-2.0
// Types for the authors of tools. Put this file beside the tool:
//
//     import type { Server } from './cordon';
//
// Three forms of a tool are understood:
//
//     export default { name, version, tools: { … } } satisfies Server;
//     export default { fetch(request, env, ctx) { … } } satisfies Fetcher;
//     export default (input) => …;           or      export function run(input)

/** Any value that JSON can carry. `undefined` members are left out. */
export type Json = string | number | boolean | null | readonly Json[] |
    { readonly [member: string]: Json | undefined };

/** A JSON Schema (2020-12 unless it names another dialect) for an object. */
export interface ObjectSchema {
  readonly type: 'object';
  readonly properties?: { readonly [name: string]: Json };
  readonly required?: readonly string[];
  readonly additionalProperties?: Json;
  readonly [keyword: string]: Json | undefined;
}

export interface Icon {
  readonly src: string;
  readonly mimeType?: string;
  readonly sizes?: readonly string[];
  readonly theme?: 'light' | 'dark';
}

/** Hints about a tool; a client must not trust them. */
export interface ToolAnnotations {
  readonly title?: string;
  readonly readOnlyHint?: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint?: boolean;
}

export type LogLevel = 'debug' | 'info' | 'log' | 'notice' | 'warn' |
    'warning' | 'error' | 'critical' | 'alert' | 'emergency';

/** What the client of a call declared that it can do. */
export interface ClientCapabilities {
  readonly elicitation?: { readonly form?: object; readonly url?: object };
  readonly sampling?: { readonly tools?: object; readonly context?: object };
  readonly roots?: { readonly listChanged?: boolean };
  readonly [name: string]: unknown;
}

/** A form to fill in: an object of primitive members. */
export interface ElicitForm {
  readonly mode?: 'form';
  readonly message: string;
  readonly requestedSchema: ObjectSchema;
}

/** A page to visit: what is typed there is no business of the client's. */
export interface ElicitUrl {
  readonly mode: 'url';
  readonly message: string;
  readonly url: string;
  readonly elicitationId: string;
}

export interface ElicitResult {
  readonly action: 'accept' | 'decline' | 'cancel';
  readonly content?: { readonly [name: string]: string | number | boolean |
      readonly string[] };
}

export interface SamplingParams {
  readonly messages: readonly { readonly role: 'user' | 'assistant';
    readonly content: unknown }[];
  readonly maxTokens: number;
  readonly systemPrompt?: string;
  readonly [member: string]: unknown;
}

export interface SamplingResult {
  readonly role: 'user' | 'assistant';
  readonly content: unknown;
  readonly model: string;
  readonly stopReason?: string;
}

/** What a request to the client rejects with when its answer is an error. */
export interface ClientError extends Error {
  readonly name: 'ClientError';
  readonly code?: number;
  readonly data?: unknown;
}

/** What a handler gets besides its input. */
export interface ToolContext {
  /** The server's name. */
  readonly name: string;
  /** Configuration of the deployment. */
  readonly env: { readonly [name: string]: unknown };
  /** Aborted when the call is. */
  readonly signal: AbortSignal;
  /** `_meta` of the request. */
  readonly meta: { readonly [key: string]: unknown };
  /** What the client declared; asking for anything else rejects. */
  readonly can: ClientCapabilities;
  /** The revision of the protocol that the client speaks: '2025-11-25'. */
  readonly version?: string;
  /** Tells one session of this server from another; absent without one. */
  readonly session?: string;
  /** Answers to the `inputRequests` that an earlier try of this call returned,
   * by its names; see InputRequired. */
  readonly inputResponses?: { readonly [name: string]: any };
  readonly requestState?: string;

  /** Writes a line to the call's log; `%s %d %o` as in console.log. */
  log(level: LogLevel, ...values: unknown[]): void;
  /** Sends the client a log message (notifications/message), which it shows
   * if it wants that level. */
  notify(level: LogLevel, data: Json, logger?: string): void;
  /** Tells how far the call is; nothing is sent unless the client asked. */
  progress(progress: number, total?: number, message?: string): void;
  /** Tells those who subscribed to a resource that it changed. */
  resourceUpdated(uri: string): void;
  /** Tells clients to read a list anew. */
  listChanged(list: 'tools' | 'prompts' | 'resources'): void;

  /**
   * Requests to the client. The call waits for them without spending its wall
   * time, as long as it waits for nothing else (a pending timer is something);
   * 16 may be open at once. They reject with a ClientError if the client
   * answers so, and at once if it did not declare the capability.
   */
  elicit(params: ElicitForm | ElicitUrl): Promise<ElicitResult>;
  sample(params: SamplingParams): Promise<SamplingResult>;
  listRoots(): Promise<{ readonly roots: readonly { readonly uri: string;
    readonly name?: string }[] }>;

  /** Keeps the cell alive after the answer, until the promise is settled. */
  waitUntil(promise: PromiseLike<unknown>): void;
}

/**
 * What the handler of a tool returns: text, an object (with an outputSchema,
 * it must fit), a whole CallToolResult (with `content`: text, images, audio,
 * links), or InputRequired. Anything JSON.stringify takes.
 */
export type ToolResult = unknown;

/** Ends the call with questions; when they are answered the tool is called
 * again, with ctx.inputResponses and ctx.requestState, in a new isolate. */
export interface InputRequired {
  readonly resultType: 'input_required';
  readonly inputRequests?: { readonly [name: string]: {
    readonly method: 'elicitation/create' | 'sampling/createMessage' |
        'roots/list';
    readonly params?: unknown } };
  readonly requestState?: string;
}

interface Declared {
  readonly title?: string;
  readonly description?: string;
  readonly icons?: readonly Icon[];
  readonly _meta?: { readonly [key: string]: Json };
}

export interface Tool<Input = any, Output = ToolResult> extends Declared {
  /** Defaults to any object. What does not fit is refused before run() is
   * called, with a sentence that says where. */
  readonly inputSchema?: ObjectSchema;
  readonly outputSchema?: { readonly [keyword: string]: Json | undefined };
  readonly annotations?: ToolAnnotations;
  /** Runs in a fresh isolate; a value that is thrown becomes the error. */
  run(input: Input, ctx: ToolContext): Output | PromiseLike<Output>;
}

export interface PromptArgument {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly required?: boolean;
}

export interface PromptMessage {
  readonly role: 'user' | 'assistant';
  readonly content: { readonly type: string; readonly [member: string]: unknown };
}

/** The text of one user message, the messages, or the whole result. */
export type PromptResult = string | readonly PromptMessage[] | {
  readonly description?: string;
  readonly messages: readonly PromptMessage[];
};

/** Values that begin as the user's text does: all of them, or some. */
export type Completion = readonly string[] | {
  readonly values: readonly string[];
  readonly total?: number;
  readonly hasMore?: boolean;
};

/** By argument or variable; `given` are the others that are known already. */
export interface Completers {
  readonly [name: string]: (value: string,
      given: { readonly [name: string]: string }, ctx: ToolContext) =>
      Completion | PromiseLike<Completion>;
}

export interface Prompt extends Declared {
  readonly arguments?: readonly PromptArgument[];
  readonly complete?: Completers;
  get(args: { readonly [name: string]: string }, ctx: ToolContext):
      PromptResult | PromiseLike<PromptResult>;
}

/** The text, the bytes, or the whole result. */
export type ResourceResult = string | Uint8Array | {
  readonly contents: readonly { readonly uri: string;
    readonly mimeType?: string; readonly text?: string;
    readonly blob?: string }[];
};

export interface Resource extends Declared {
  /** Defaults to the URI. */
  readonly name?: string;
  readonly mimeType?: string;
  readonly annotations?: { readonly [key: string]: Json };
  read(uri: string, ctx: ToolContext):
      ResourceResult | PromiseLike<ResourceResult>;
}

/** Resources by a URI template of RFC 6570, level 1: `notes://{year}/{id}`. A
 * variable is never empty and holds no `/`, `?` or `#`. */
export interface ResourceTemplate extends Declared {
  /** Defaults to the template. */
  readonly name?: string;
  readonly mimeType?: string;
  readonly annotations?: { readonly [key: string]: Json };
  readonly complete?: Completers;
  read(uri: string, variables: { readonly [name: string]: string },
      ctx: ToolContext): ResourceResult | PromiseLike<ResourceResult>;
}

/** A declarative server: at least one of its tables must be there. */
export interface Server {
  /** Defaults to the file's name. */
  readonly name?: string;
  readonly version?: string;
  readonly title?: string;
  readonly instructions?: string;
  /** By name, or as a list whose members have a `name`. */
  readonly tools?: { readonly [name: string]: Tool } |
      readonly (Tool & { readonly name: string })[];
  readonly prompts?: { readonly [name: string]: Prompt } |
      readonly (Prompt & { readonly name: string })[];
  /** By URI, or as a list whose members have a `uri`. */
  readonly resources?: { readonly [uri: string]: Resource } |
      readonly (Resource & { readonly uri: string })[];
  /** By template, or as a list whose members have a `uriTemplate`. */
  readonly resourceTemplates?: { readonly [uriTemplate: string]:
      ResourceTemplate } |
      readonly (ResourceTemplate & { readonly uriTemplate: string })[];
}

export interface ExecutionContext {
  readonly props: unknown;
  waitUntil(promise: PromiseLike<unknown>): void;
  /** Exists for Workers' sake; does nothing. */
  passThroughOnException(): void;
}

/**
 * `cause` of the TypeError that a fetch() which failed rejects with. NO_RULE: its
 * host, port, method or path was not granted; the message names the rule.
 */
export interface FetchFailure extends Error {
  readonly code: 'ADDRESS' | 'BAD' | 'BUDGET' | 'CONNECT' | 'CUT' | 'DNS' |
      'INTERNAL' | 'NO_CALL' | 'NO_EGRESS' | 'NO_RULE' | 'PROTOCOL' | 'SECRET' |
      'TIMEOUT' | 'TLS' | 'TOO_LARGE';
}

/** A Workers-style server: MCP SDKs, hono and the like. */
export interface Fetcher<Env = unknown> {
  fetch(request: Request, env: Env, ctx: ExecutionContext):
      Response | PromiseLike<Response>;
}

/** A bare tool: `export default` or `export function run`. */
export type Run<Input = any, Output = ToolResult> =
    (input: Input, ctx: ToolContext) => Output | PromiseLike<Output>;
