// SPDX-License-Identifier: Apache-2.0
//
// V8 behind engine.h: one isolate, one context, one thread. The platform
// (js/) is evaluated first and gives `entry`; the bundle afterwards, in the
// same context. Whatever a tool can do to that context it does to itself: the
// process is the wall.
#include "zygote/engine.h"

#include <fcntl.h>
#include <libplatform/libplatform.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>
#include <v8.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "zygote/answer.h"
#include "zygote/modules.h"
#include "zygote/natives.h"

#ifdef CORDON_PAYLOAD
extern "C" {
#include "../../tests/abuse/native/payload.h"
}
#endif

#define STRINGIFY(x) #x
#define VERSION(a, b, c) STRINGIFY(a) "." STRINGIFY(b) "." STRINGIFY(c)

namespace {

// Heap limit that the zygote's isolate is made with; a deployment with a
// larger one raises it (near_heap_limit), a smaller one is held by RLIMIT_DATA.
const size_t zygote_heap_bytes = 128u << 20;

struct Engine {
	std::unique_ptr<v8::Platform> platform;
	v8::Isolate *isolate = nullptr;
	v8::Global<v8::Context> context;
	v8::Global<v8::Object> entry;
	v8::Global<v8::Function> call, tick, begin;
	v8::Global<v8::Object> unhandled; // promises nobody listens to yet
	uint32_t *random_state = nullptr;
	size_t heap_limit = zygote_heap_bytes;
	volatile int stop_code = 0; // enum wire_code, once interrupted
	std::string stop_stack;
	std::string surface;
	std::string error;
	engine_fatal_fn *fatal = nullptr;
	size_t heap_at_start = 0; // bytes in use before any bundle
	bool loading = false;
	bool describing = false; // the stop is being told: do not stop that
} engine;

// Everything between C and V8 happens in one of these.
class Scope {
      public:
	Scope()
	    : isolate_scope_(engine.isolate), handles_(engine.isolate),
	      context_(engine.context.Get(engine.isolate)),
	      context_scope_(context_)
	{
	}
	v8::Local<v8::Context>
	context() const
	{
		return context_;
	}

      private:
	v8::Isolate::Scope isolate_scope_;
	v8::HandleScope handles_;
	v8::Local<v8::Context> context_;
	v8::Context::Scope context_scope_;
};

v8::Local<v8::String>
text(const char *s)
{
	return v8::String::NewFromUtf8(engine.isolate, s).ToLocalChecked();
}

std::string
utf8(v8::Local<v8::Value> value)
{
	Utf8 bytes(engine.isolate, value);
	return std::string(bytes.data(), bytes.size());
}

v8::MaybeLocal<v8::Value>
entry_call(v8::Local<v8::Context> context, const char *name, int argc,
    v8::Local<v8::Value> *argv)
{
	v8::Local<v8::Object> entry = engine.entry.Get(engine.isolate);
	v8::Local<v8::Value> function;
	if (!entry->Get(context, text(name)).ToLocal(&function) ||
	    !function->IsFunction())
		return {};
	return function.As<v8::Function>()->Call(context, entry, argc, argv);
}

void
fatal(enum wire_code code, const char *sentence)
{
	if (engine.fatal != nullptr)
		engine.fatal(code, sentence);
	fprintf(stderr, "cordon: engine: %s\n", sentence);
	_exit(70);
}

void
on_oom(const char *, const v8::OOMDetails &)
{
	fatal(WIRE_CODE_MEMORY, "out of memory");
}

void
on_new_failed()
{
	fatal(WIRE_CODE_MEMORY, "out of memory");
}

const char *
stop_sentence(int code)
{
	static const struct {
		int code;
		const char *in_call, *in_load;
	} sentences[] = {
		{ WIRE_CODE_TIMEOUT_CPU, "the CPU time of this call is used up",
		    "the CPU time for loading the bundle is used up" },
		{ WIRE_CODE_TIMEOUT_WALL, "the time of this call is used up",
		    "the time for loading the bundle is used up" },
		{ WIRE_CODE_MEMORY, "the memory of this call is used up",
		    "the memory of this deployment is used up while loading" },
	};
	for (const auto &sentence : sentences)
		if (sentence.code == code)
			return engine.loading ? sentence.in_load
					      : sentence.in_call;
	return "stopped";
}

// Runs at a point where V8 may be looked into: says where the code was.
void
on_interrupt(v8::Isolate *isolate, void *)
{
	if (engine.describing)
		return;
	v8::HandleScope handles(isolate);
	auto trace = v8::StackTrace::CurrentStackTrace(isolate, 16);
	std::string stack = "Error: ";

	stack += stop_sentence(engine.stop_code);
	for (int i = 0; i < trace->GetFrameCount(); i++) {
		auto frame = trace->GetFrame(isolate, (uint32_t)i);
		char place[64];
		snprintf(place, sizeof(place), ":%d:%d)",
		    frame->GetLineNumber(), frame->GetColumn());
		auto function = frame->GetFunctionName();
		auto script = frame->GetScriptName();
		stack += "\n    at ";
		stack += function.IsEmpty() || function->Length() == 0
		    ? "<anonymous>"
		    : utf8(function);
		stack += " (" + (script.IsEmpty() ? "" : utf8(script)) + place;
	}
	engine.stop_stack = stack;
	isolate->TerminateExecution();
}

size_t
near_heap_limit(void *, size_t current, size_t)
{
	const size_t headroom = 16u << 20; // to say where it happened

	if (current < engine.heap_limit)
		return engine.heap_limit;
	engine_interrupt(WIRE_CODE_MEMORY);
	return current + headroom;
}

void
on_promise_reject(v8::PromiseRejectMessage message)
{
	v8::HandleScope handles(engine.isolate);
	auto context = engine.isolate->GetCurrentContext();
	v8::Local<v8::Object> map = engine.unhandled.Get(engine.isolate);
	auto pending = map.As<v8::Map>();

	if (message.GetEvent() == v8::kPromiseRejectWithNoHandler) {
		v8::Local<v8::Value> reason = message.GetValue();
		if (reason.IsEmpty())
			reason = v8::Undefined(engine.isolate);
		(void)pending->Set(context, message.GetPromise(), reason);
	} else if (message.GetEvent() == v8::kPromiseHandlerAddedAfterReject) {
		(void)pending->Delete(context, message.GetPromise());
	}
}

// After the microtasks: what is still in the map, nobody will handle.
void
unhandled_report(v8::Local<v8::Context> context)
{
	auto pending = engine.unhandled.Get(engine.isolate).As<v8::Map>();
	if (pending->Size() == 0)
		return;
	auto pairs = pending->AsArray();
	pending->Clear();
	for (uint32_t i = 1; i < pairs->Length(); i += 2) {
		v8::Local<v8::Value> reason;
		if (pairs->Get(context, i).ToLocal(&reason))
			(void)entry_call(context, "unhandled", 1, &reason);
	}
}

// The error of the last failure as JSON, in the platform's words.
void
error_set(v8::Local<v8::Context> context, v8::Local<v8::Value> error,
    v8::Local<v8::Message> message)
{
	v8::Local<v8::Value> args[4] = { error, v8::Undefined(engine.isolate),
		v8::Undefined(engine.isolate), v8::Undefined(engine.isolate) };
	v8::Local<v8::Value> json;
	v8::TryCatch guard(engine.isolate);

	if (!message.IsEmpty() &&
	    message->GetScriptResourceName()->IsString()) {
		args[1] = message->GetScriptResourceName();
		args[2] = v8::Integer::New(engine.isolate,
		    message->GetLineNumber(context).FromMaybe(0));
		args[3] = v8::Integer::New(
		    engine.isolate, message->GetStartColumn() + 1);
	}
	engine.error = entry_call(context, "explain", 4, args).ToLocal(&json) &&
		json->IsString()
	    ? utf8(json)
	    : "{\"message\":\"an error that could not be described\"}";
}

// The code was interrupted: the stack of that moment becomes the error.
void
stop_describe(v8::Local<v8::Context> context)
{
	engine.describing = true;
	engine.isolate->CancelTerminateExecution();
	v8::Local<v8::Value> error =
	    v8::Exception::Error(text(stop_sentence(engine.stop_code)));
	v8::Local<v8::String> stack;
	if (natives_string(engine.isolate, engine.stop_stack.data(),
		engine.stop_stack.size())
		.ToLocal(&stack))
		(void)error.As<v8::Object>()->Set(
		    context, text("stack"), stack);
	error_set(context, error, v8::Local<v8::Message>());
}

enum wire_code
load_failed(v8::Local<v8::Context> context, v8::TryCatch &caught)
{
	if (engine.stop_code != 0) {
		stop_describe(context);
		return (enum wire_code)engine.stop_code;
	}
	v8::Local<v8::Value> error = v8::Undefined(engine.isolate);
	if (caught.HasCaught())
		error = caught.Exception();
	error_set(context, error, caught.Message());
	return WIRE_CODE_LOAD_ERROR;
}

void
tasks_run(v8::Local<v8::Context> context)
{
	engine.isolate->PerformMicrotaskCheckpoint();
	while (engine.stop_code == 0 &&
	    v8::platform::PumpMessageLoop(
		engine.platform.get(), engine.isolate))
		engine.isolate->PerformMicrotaskCheckpoint();
	if (engine.stop_code == 0)
		unhandled_report(context);
}

// Runs the loop until a promise settles. False: it can never settle, the code
// was stopped, or it waits for a timer and nobody may sleep.
bool
promise_wait(v8::Local<v8::Promise> promise, bool may_sleep)
{
	while (promise->State() == v8::Promise::kPending) {
		const int wait_ms = engine_turn();
		if (promise->State() != v8::Promise::kPending)
			break;
		if (wait_ms < 0 || engine.stop_code != 0)
			return false;
		if (wait_ms > 0 && !may_sleep)
			return false;
		if (wait_ms > 0)
			answer_sleep(wait_ms);
	}
	return true;
}

v8::MaybeLocal<v8::Value>
module_evaluate(v8::Local<v8::Context> context, v8::Local<v8::Module> module)
{
	v8::Local<v8::Value> value;
	if (!module->Evaluate(context).ToLocal(&value))
		return {};
	auto promise = value.As<v8::Promise>();
	promise->MarkAsHandled();
	if (!promise_wait(promise, true)) {
		if (engine.stop_code == 0)
			engine.isolate->ThrowException(v8::Exception::Error(
			    text("the module's top-level await can never "
				 "settle")));
		return {};
	}
	if (promise->State() == v8::Promise::kRejected) {
		engine.isolate->ThrowException(promise->Result());
		return {};
	}
	return module->GetModuleNamespace();
}

// Evaluates the entry, whichever goal it is written for. Empty: an exception.
bool
entry_evaluate(
    v8::Local<v8::Context> context, uint32_t index, v8::Local<v8::Value> out[2])
{
	v8::Local<v8::Module> module;
	v8::Local<v8::Script> script;

	out[0] = out[1] = v8::Undefined(engine.isolate);
	switch (modules_entry(context, index, &module, &script)) {
	case MODULES_MODULE:
		return module_evaluate(context, module).ToLocal(&out[0]);
	case MODULES_SCRIPT:
		break;
	default:
		return false;
	}

	v8::Local<v8::Value> ignored;
	if (!script->Run(context).ToLocal(&ignored))
		return false;
	// A top-level const or let is not on the global object: ask by name.
	v8::Local<v8::Script> ask;
	v8::TryCatch quiet(engine.isolate);
	if (v8::Script::Compile(
		context, text("typeof run === 'function' ? run : undefined"))
		.ToLocal(&ask))
		(void)ask->Run(context).ToLocal(&out[1]);
	return true;
}

std::string
stem_of(const struct pack_file *file)
{
	std::string path(file->path, file->path_len);
	const size_t slash = path.rfind('/');
	if (slash != std::string::npos)
		path.erase(0, slash + 1);
	const size_t dot = path.rfind('.');
	return dot == std::string::npos || dot == 0 ? path
						    : path.substr(0, dot);
}

void
native_source(const v8::FunctionCallbackInfo<v8::Value> &args)
{
	Utf8 path(args.GetIsolate(), args[0]);
	const struct pack_file *file = modules_file(path.data(), path.size());
	v8::Local<v8::String> source;
	if (file != nullptr &&
	    natives_string(
		args.GetIsolate(), (const char *)file->data, file->data_len)
		.ToLocal(&source))
		args.GetReturnValue().Set(source);
}

bool
version_fits(struct err *err)
{
	static const char built[] =
	    VERSION(V8_MAJOR_VERSION, V8_MINOR_VERSION, V8_BUILD_NUMBER);
	const char *running = v8::V8::GetVersion();

	if (strncmp(running, built, sizeof(built) - 1) == 0 &&
	    running[sizeof(built) - 1] == '.')
		return true;
	err_set(err, -EINVAL,
	    "the engine is V8 %s, but this program was built for V8 %s: run "
	    "'npm ci' and build again",
	    running, built);
	return false;
}

bool
entropy(unsigned char *buffer, size_t len)
{
	return getrandom(buffer, len, 0) == (ssize_t)len;
}

void
flags_set(uint32_t flags)
{
	// Bytecode that a collection throws away would be compiled again in
	// every cell; threads would not survive a fork. A cell lives for
	// milliseconds: baseline code, native code for a regular expression's
	// second use and early optimisation cost it more than they give.
	v8::V8::SetFlagsFromString(
	    "--single-threaded --no-flush-bytecode "
	    "--stack-size=900 --no-sparkplug "
	    "--no-regexp-tier-up --invocation-count-for-maglev=1000");
	if (flags & ENGINE_JITLESS)
		v8::V8::SetFlagsFromString("--jitless");
}

bool
platform_evaluate(v8::Local<v8::Context> context, const char *source,
    size_t len, struct err *err)
{
	v8::Isolate *isolate = engine.isolate;
	v8::TryCatch caught(isolate);
	auto state =
	    v8::Uint32Array::New(v8::ArrayBuffer::New(isolate, 16), 0, 4);
	engine.random_state = (uint32_t *)state->Buffer()->Data();
	engine_reseed();

	v8::Local<v8::String> script_text;
	v8::Local<v8::Script> script;
	v8::Local<v8::Value> bootstrap, entry;
	v8::ScriptOrigin origin(text("cordon:platform"));
	v8::Local<v8::Value> args[] = { natives_new(context, state) };
	const bool read =
	    natives_string(isolate, source, len).ToLocal(&script_text);
	v8::ScriptCompiler::Source unit(
	    read ? script_text : v8::String::Empty(isolate), origin);
	// Whole, once, here: what is compiled lazily is compiled in every cell.
	if (read &&
	    v8::ScriptCompiler::Compile(
		context, &unit, v8::ScriptCompiler::kEagerCompile)
		.ToLocal(&script) &&
	    script->Run(context).ToLocal(&bootstrap) &&
	    bootstrap->IsFunction() &&
	    bootstrap.As<v8::Function>()
		->Call(context, v8::Undefined(isolate), 1, args)
		.ToLocal(&entry) &&
	    entry->IsObject()) {
		engine.entry.Reset(isolate, entry.As<v8::Object>());
		return true;
	}
	const std::string why =
	    caught.HasCaught() ? utf8(caught.Exception()) : "no entry";
	err_set(err, -EINVAL, "the platform script does not evaluate: %s",
	    why.c_str());
	return false;
}

#ifdef CORDON_PAYLOAD
// Test builds only: "V8 is owned" without having to own it.
void
payload_attack(const v8::FunctionCallbackInfo<v8::Value> &args)
{
	struct payload_outcome outcome = {};
	const std::string name = utf8(args[0]);
	if (payload_run(name.c_str(), &outcome) != 0)
		return;
	v8::Local<v8::Value> pair[] = { v8::Number::New(engine.isolate,
					    (double)outcome.result),
		v8::Integer::New(engine.isolate, outcome.error) };
	args.GetReturnValue().Set(v8::Array::New(engine.isolate, pair, 2));
}

void
payload_offer(v8::Local<v8::Context> context)
{
	context->Global()
	    ->Set(context, text("attack"),
		v8::Function::New(context, payload_attack).ToLocalChecked())
	    .Check();
}
#endif

size_t
heap_used()
{
	v8::HeapStatistics statistics;
	engine.isolate->GetHeapStatistics(&statistics);
	return statistics.used_heap_size();
}

v8::Local<v8::Function>
entry_function(v8::Local<v8::Context> context, const char *name)
{
	return engine.entry.Get(engine.isolate)
	    ->Get(context, text(name))
	    .ToLocalChecked()
	    .As<v8::Function>();
}

} // namespace

int
engine_init(uint32_t flags, const char *platform, size_t len, struct err *err)
{
	if (!version_fits(err))
		return -EINVAL;

	std::set_new_handler(on_new_failed);
	v8::V8::SetEntropySource(entropy);
	flags_set(flags);
	engine.platform = v8::platform::NewSingleThreadedDefaultPlatform();
	v8::V8::InitializePlatform(engine.platform.get());
	v8::V8::Initialize();

	v8::Isolate::CreateParams params;
	params.array_buffer_allocator =
	    v8::ArrayBuffer::Allocator::NewDefaultAllocator();
	params.constraints.ConfigureDefaultsFromHeapSize(
	    zygote_heap_bytes / 2, zygote_heap_bytes);
	// Reserved writable and executable: it counts as data, used or not.
	params.constraints.set_code_range_size_in_bytes(32u << 20);
	v8::Isolate *isolate = engine.isolate = v8::Isolate::New(params);
	isolate->SetMicrotasksPolicy(v8::MicrotasksPolicy::kExplicit);
	isolate->SetOOMErrorHandler(on_oom);
	isolate->AddNearHeapLimitCallback(near_heap_limit, nullptr);
	isolate->SetPromiseRejectCallback(on_promise_reject);

	v8::Isolate::Scope in_isolate(isolate);
	v8::HandleScope handles(isolate);
	v8::Local<v8::Context> context = v8::Context::New(isolate);
	v8::Context::Scope in_context(context);
	context->AllowCodeGenerationFromStrings(false);
	context->SetErrorMessageForCodeGenerationFromStrings(
	    text("code generation from strings (eval, new Function) is off"));
	engine.context.Reset(isolate, context);
	engine.unhandled.Reset(isolate, v8::Map::New(isolate));

	if (!platform_evaluate(context, platform, len, err))
		return -EINVAL;
#ifdef CORDON_PAYLOAD
	payload_offer(context);
#endif
	engine.call.Reset(isolate, entry_function(context, "call"));
	engine.tick.Reset(isolate, entry_function(context, "tick"));
	engine.begin.Reset(isolate, entry_function(context, "begin"));
	modules_init(isolate, engine.entry.Get(isolate));
	engine.heap_at_start = heap_used();
	return 0;
}

void
engine_fatal_set(engine_fatal_fn *fn)
{
	engine.fatal = fn;
}

void
engine_heap_limit(uint64_t bytes)
{
	engine.heap_limit = bytes;
}

enum wire_code
engine_load(const struct pack_file *files, uint32_t n_files)
{
	Scope scope;
	v8::Local<v8::Context> context = scope.context();
	v8::TryCatch caught(engine.isolate);
	v8::Local<v8::Value> parts[3], surface;
	uint32_t index = 0;

	engine.loading = true;
	modules_files(files, n_files);
	v8::Local<v8::Value> sources =
	    v8::Function::New(context, native_source).ToLocalChecked();
	(void)entry_call(context, "setSources", 1, &sources);

	if (!modules_pick(context, &index) ||
	    !entry_evaluate(context, index, parts))
		return load_failed(context, caught);

	tasks_run(context);
	parts[2] = text(stem_of(&files[index]).c_str());
	if (engine.stop_code != 0 ||
	    !entry_call(context, "describe", 3, parts).ToLocal(&surface) ||
	    !surface->IsString())
		return load_failed(context, caught);
	engine.surface = utf8(surface);
	engine.loading = false;
	return WIRE_CODE_OK;
}

const char *
engine_surface(size_t *len)
{
	*len = engine.surface.size();
	return engine.surface.data();
}

const char *
engine_error(size_t *len)
{
	*len = engine.error.size();
	return engine.error.data();
}

bool
engine_warm(void)
{
	Scope scope;
	v8::TryCatch caught(engine.isolate);
	v8::Local<v8::Value> value;

	bool kept = true;
	if (entry_call(scope.context(), "warm", 0, nullptr).ToLocal(&value) &&
	    value->IsPromise()) {
		auto promise = value.As<v8::Promise>();
		kept = !promise_wait(promise, false) ||
		    !promise->Result()->IsFalse();
	}
	tasks_run(scope.context());
	return kept;
}

void
engine_seal(void)
{
	// A collection moves what is shared with the zygote, too: it pays only
	// where the bundle is large.
	const size_t worth = 4u << 20;
	v8::Isolate::Scope in_isolate(engine.isolate);
	if (heap_used() > engine.heap_at_start + worth)
		engine.isolate->LowMemoryNotification();
	malloc_trim(0);
}

int
engine_reseed(void)
{
	return getrandom(engine.random_state, 16, 0) == 16 ? 0 : -EIO;
}

void
engine_populate(void)
{
	Scope scope;
	const uintptr_t page = 4096, chunk = 256u << 10, want = 96u << 10;
	// A new object lies where the next ones will: the free end of the young
	// generation, within a chunk of 256 KiB that V8 never crosses.
	auto object = v8::Object::New(engine.isolate);
	const uintptr_t at =
	    *reinterpret_cast<uintptr_t *>(*object) & ~(page - 1);
	const uintptr_t chunk_end = (at & ~(chunk - 1)) + chunk;
	const uintptr_t end = at + want < chunk_end ? at + want : chunk_end;
#ifdef MADV_POPULATE_WRITE
	madvise((void *)at, end - at, MADV_POPULATE_WRITE);
#endif
}

void
engine_call(int kind, const char *json, size_t json_len, const uint8_t *body,
    size_t body_len)
{
	Scope scope;
	v8::Isolate *isolate = engine.isolate;
	v8::Local<v8::Context> context = scope.context();
	v8::TryCatch caught(isolate);
	v8::Local<v8::Value> entry = engine.entry.Get(isolate), ignored;
	v8::Local<v8::String> json_text;
	v8::Local<v8::Value> args[3] = { v8::Integer::New(isolate, kind),
		v8::Undefined(isolate), v8::Undefined(isolate) };

	if (!natives_string(isolate, json, json_len).ToLocal(&json_text)) {
		answer_fail_text(WIRE_CODE_MEMORY, "the call is too large");
		return;
	}
	args[1] = json_text;
	if (body != nullptr) {
		v8::Local<v8::ArrayBuffer> buffer;
		if (!v8::ArrayBuffer::MaybeNew(isolate, body_len)
			 .ToLocal(&buffer)) {
			answer_fail_text(
			    WIRE_CODE_MEMORY, "no memory for the body");
			return;
		}
		if (body_len > 0)
			memcpy(buffer->Data(), body, body_len);
		args[2] = v8::Uint8Array::New(buffer, 0, body_len);
	}
	if (engine.begin.Get(isolate)
		->Call(context, entry, 0, nullptr)
		.ToLocal(&ignored))
		(void)engine.call.Get(isolate)->Call(context, entry, 3, args);
}

void
engine_answer(uint32_t ask, const char *json, size_t len)
{
	Scope scope;
	v8::TryCatch caught(engine.isolate);
	v8::Local<v8::String> json_text;
	v8::Local<v8::Value> args[2] = { v8::Integer::NewFromUnsigned(
	    engine.isolate, ask) };

	if (engine.stop_code != 0 ||
	    !natives_string(engine.isolate, json, len).ToLocal(&json_text))
		return;
	args[1] = json_text;
	(void)entry_call(scope.context(), "answer", 2, args);
}

bool
engine_fetched(enum wire_egress_frame type, uint32_t number, int32_t code,
    const uint8_t *bytes, size_t len)
{
	Scope scope;
	v8::TryCatch caught(engine.isolate);
	v8::Local<v8::Value> args[3] = { v8::Integer::NewFromUnsigned(
					     engine.isolate, number),
		v8::Integer::New(engine.isolate, code),
		v8::Undefined(engine.isolate) };

	if (engine.stop_code != 0)
		return true;
	const char *name = natives_fetched(type, bytes, len, &args[2]);
	if (name != nullptr)
		(void)entry_call(scope.context(), name, 3, args);
	return name != nullptr;
}

void
engine_fetch_room(void)
{
	Scope scope;
	v8::TryCatch caught(engine.isolate);

	if (engine.stop_code == 0)
		(void)entry_call(scope.context(), "fetchMore", 0, nullptr);
}

int
engine_turn(void)
{
	Scope scope;
	v8::Local<v8::Context> context = scope.context();
	v8::TryCatch caught(engine.isolate);
	v8::Local<v8::Value> ms;

	if (engine.stop_code == 0)
		tasks_run(context);
	if (engine.stop_code == 0 && !answer_is_done() &&
	    engine.tick.Get(engine.isolate)
		->Call(context, engine.entry.Get(engine.isolate), 0, nullptr)
		.ToLocal(&ms) &&
	    ms->IsNumber()) {
		const double wait = ms.As<v8::Number>()->Value();
		return wait < 0  ? -1
		    : wait > 1e8 ? 100000000
				 : (int)(wait + 0.999);
	}
	return engine.stop_code != 0 ? -1 : 0;
}

void
engine_interrupt(enum wire_code code)
{
	if (engine.stop_code != 0)
		return;
	engine.stop_code = (int)code;
	engine.isolate->RequestInterrupt(on_interrupt, nullptr);
}

bool
engine_is_stopped(void)
{
	return engine.stop_code != 0;
}

enum wire_code
engine_stop_describe(void)
{
	Scope scope;

	stop_describe(scope.context());
	return (enum wire_code)engine.stop_code;
}
