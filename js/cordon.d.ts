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

/** What a handler gets besides its input. */
export interface ToolContext {
  /** The server's name. */
  readonly name: string;
  /** Configuration of the deployment. */
  readonly env: { readonly [name: string]: unknown };
  /** Aborted when the call is. */
  readonly signal: AbortSignal;
  /** Writes a line to the call's log; `%s %d %o` as in console.log. */
  log(level: LogLevel, ...values: unknown[]): void;
  /** Keeps the cell alive after the answer, until the promise is settled. */
  waitUntil(promise: PromiseLike<unknown>): void;
}

/** What a handler returns: anything JSON.stringify takes. */
export type ToolResult = unknown;

interface Declared {
  readonly title?: string;
  readonly description?: string;
  readonly icons?: readonly Icon[];
  readonly _meta?: { readonly [key: string]: Json };
}

export interface Tool<Input = any, Output = ToolResult> extends Declared {
  /** Defaults to any object. */
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

export interface Prompt extends Declared {
  readonly arguments?: readonly PromptArgument[];
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

/** A declarative server. */
export interface Server {
  /** Defaults to the file's name. */
  readonly name?: string;
  readonly version?: string;
  readonly title?: string;
  readonly instructions?: string;
  /** By name, or as a list whose members have a `name`. */
  readonly tools: { readonly [name: string]: Tool } |
      readonly (Tool & { readonly name: string })[];
  readonly prompts?: { readonly [name: string]: Prompt } |
      readonly (Prompt & { readonly name: string })[];
  /** By URI, or as a list whose members have a `uri`. */
  readonly resources?: { readonly [uri: string]: Resource } |
      readonly (Resource & { readonly uri: string })[];
}

export interface ExecutionContext {
  readonly props: unknown;
  waitUntil(promise: PromiseLike<unknown>): void;
  /** Exists for Workers' sake; does nothing. */
  passThroughOnException(): void;
}

/** A Workers-style server: MCP SDKs, hono and the like. */
export interface Fetcher<Env = unknown> {
  fetch(request: Request, env: Env, ctx: ExecutionContext):
      Response | PromiseLike<Response>;
}

/** A bare tool: `export default` or `export function run`. */
export type Run<Input = any, Output = ToolResult> =
    (input: Input, ctx: ToolContext) => Output | PromiseLike<Output>;
