// SPDX-License-Identifier: Apache-2.0
#include "zygote/modules.h"

#include <cstring>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "zygote/natives.h"

namespace {

// Bundles up to this size are compiled whole, before any cell is forked: what
// is compiled lazily is compiled again in every cell. Above, only what the
// warm-up walks through.
const size_t eager_bytes = 4u << 20;

struct Modules {
	v8::Isolate *isolate = nullptr;
	v8::Global<v8::Object> entry;
	const struct pack_file *files = nullptr;
	uint32_t n_files = 0;
	std::unordered_map<std::string, v8::Global<v8::Module>> loaded;
	std::unordered_multimap<int,
	    std::pair<v8::Global<v8::Module>,
		std::string>>
	    paths; // by identity hash
} modules;

v8::Local<v8::String>
text(const std::string &s)
{
	v8::Local<v8::String> string;
	return natives_string(modules.isolate, s.data(), s.size())
		   .ToLocal(&string)
	    ? string
	    : v8::String::Empty(modules.isolate);
}

std::string
utf8(v8::Local<v8::Value> value)
{
	Utf8 bytes(modules.isolate, value);
	return std::string(bytes.data(), bytes.size());
}

void
throw_error(const std::string &sentence)
{
	modules.isolate->ThrowException(v8::Exception::Error(text(sentence)));
}

bool
ends_with(const std::string &s, const char *tail)
{
	const size_t len = strlen(tail);
	return s.size() >= len && s.compare(s.size() - len, len, tail) == 0;
}

std::string
path_of(const struct pack_file &file)
{
	return std::string(file.path, file.path_len);
}

// "dir/file.js" + "../x.js" -> "x.js". Empty: it would leave the bundle.
std::string
path_join(const std::string &referrer, const std::string &specifier)
{
	std::string path = specifier[0] == '/'
	    ? std::string()
	    : referrer.substr(0,
		  referrer.rfind('/') == std::string::npos
		      ? 0
		      : referrer.rfind('/'));
	size_t at = 0;

	while (at <= specifier.size()) {
		size_t end = specifier.find('/', at);
		if (end == std::string::npos)
			end = specifier.size();
		const std::string part = specifier.substr(at, end - at);
		at = end + 1;
		if (part.empty() || part == ".")
			continue;
		if (part != "..") {
			path += path.empty() ? part : "/" + part;
			continue;
		}
		if (path.empty())
			return {};
		const size_t slash = path.rfind('/');
		path.erase(slash == std::string::npos ? 0 : slash);
	}
	return path;
}

const struct pack_file *
file_resolve(const std::string &path)
{
	static const char *const tails[] = { "", ".js", ".mjs", "/index.js",
		"/index.mjs" };
	for (const char *tail : tails) {
		const std::string whole = path + tail;
		const struct pack_file *file =
		    modules_file(whole.data(), whole.size());
		if (file != nullptr)
			return file;
	}
	return nullptr;
}

v8::MaybeLocal<v8::Module>
remember(v8::Local<v8::Module> module, const std::string &path)
{
	modules.loaded[path].Reset(modules.isolate, module);
	modules.paths.emplace(module->GetIdentityHash(),
	    std::make_pair(
		v8::Global<v8::Module>(modules.isolate, module), path));
	return module;
}

std::string
path_of_module(v8::Local<v8::Module> module)
{
	auto range = modules.paths.equal_range(module->GetIdentityHash());
	for (auto it = range.first; it != range.second; ++it)
		if (it->second.first.Get(modules.isolate) == module)
			return it->second.second;
	return {};
}

v8::Local<v8::String>
source_of(const struct pack_file &file)
{
	v8::Local<v8::String> source;
	const char *data = (const char *)file.data;
	size_t len = file.data_len;

	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		data += 3; // a byte-order mark is not source text
		len -= 3;
	}
	return natives_string(modules.isolate, data, len).ToLocal(&source)
	    ? source
	    : v8::String::Empty(modules.isolate);
}

v8::MaybeLocal<v8::Module>
module_compile(const struct pack_file &file)
{
	const std::string path = path_of(file);
	v8::ScriptOrigin origin(text(path), 0, 0, false, -1,
	    v8::Local<v8::Value>(), false, false, true);
	v8::ScriptCompiler::Source source(source_of(file), origin);
	v8::Local<v8::Module> module;
	const auto options = file.data_len <= eager_bytes
	    ? v8::ScriptCompiler::kEagerCompile
	    : v8::ScriptCompiler::kNoCompileOptions;

	if (!v8::ScriptCompiler::CompileModule(
		modules.isolate, &source, options)
		 .ToLocal(&module))
		return {};
	return remember(module, path);
}

// A JSON file's value; the engine's complaint alone does not name the file.
v8::MaybeLocal<v8::Value>
json_parse(v8::Local<v8::Context> context, const struct pack_file &file)
{
	std::string why;
	{
		v8::TryCatch caught(modules.isolate);
		v8::Local<v8::Value> value;
		if (v8::JSON::Parse(context, source_of(file)).ToLocal(&value))
			return value;
		if (caught.HasTerminated() || !caught.Exception()->IsObject()) {
			caught.ReThrow();
			return {};
		}
		why = utf8(caught.Message()->Get());
	}
	const char prefix[] = "Uncaught SyntaxError: ";
	if (why.rfind(prefix, 0) == 0)
		why.erase(0, sizeof(prefix) - 1);
	throw_error(path_of(file) + " is not JSON: " + why);
	return {};
}

// A module of values that exist already: a built-in, a JSON file.
v8::MaybeLocal<v8::Value>
synthetic_evaluate(v8::Local<v8::Context> context, v8::Local<v8::Module> module)
{
	v8::Isolate *isolate = modules.isolate;
	const std::string path = path_of_module(module);
	v8::Local<v8::Value> value, entry_builtins;
	v8::Local<v8::String> default_name = text("default");
	const struct pack_file *file = modules_file(path.data(), path.size());

	if (file != nullptr) {
		if (!json_parse(context, *file).ToLocal(&value))
			return {};
	} else {
		auto entry = modules.entry.Get(isolate);
		if (!entry->Get(context, text("builtins"))
			 .ToLocal(&entry_builtins) ||
		    !entry_builtins.As<v8::Object>()
			 ->Get(context, text(path))
			 .ToLocal(&value))
			return {};
		auto object = value.As<v8::Object>();
		v8::Local<v8::Array> names;
		if (!object->GetOwnPropertyNames(context).ToLocal(&names))
			return {};
		for (uint32_t i = 0; i < names->Length(); i++) {
			v8::Local<v8::Value> name, member;
			if (!names->Get(context, i).ToLocal(&name) ||
			    name->StrictEquals(default_name) ||
			    !object->Get(context, name).ToLocal(&member) ||
			    module
				->SetSyntheticModuleExport(
				    isolate, name.As<v8::String>(), member)
				.IsNothing())
				continue;
		}
	}
	if (module->SetSyntheticModuleExport(isolate, default_name, value)
		.IsNothing())
		return {};
	v8::Local<v8::Promise::Resolver> resolver;
	if (!v8::Promise::Resolver::New(context).ToLocal(&resolver))
		return {};
	(void)resolver->Resolve(context, v8::Undefined(isolate));
	return resolver->GetPromise();
}

v8::MaybeLocal<v8::Module>
synthetic_new(const std::string &path, std::vector<v8::Local<v8::String>> names)
{
	v8::Local<v8::String> default_name = text("default");
	bool has_default = false;
	for (auto name : names)
		has_default = has_default || name->StringEquals(default_name);
	if (!has_default)
		names.push_back(default_name);
	return remember(
	    v8::Module::CreateSyntheticModule(modules.isolate, text(path),
		v8::MemorySpan<const v8::Local<v8::String>>(
		    names.data(), names.size()),
		synthetic_evaluate),
	    path);
}

v8::MaybeLocal<v8::Module>
builtin_find(v8::Local<v8::Context> context, const std::string &specifier)
{
	v8::Local<v8::Value> all, builtin;
	auto entry = modules.entry.Get(modules.isolate);
	if (!entry->Get(context, text("builtins")).ToLocal(&all) ||
	    !all->IsObject() ||
	    !all.As<v8::Object>()
		 ->HasOwnProperty(context, text(specifier))
		 .FromMaybe(false) ||
	    !all.As<v8::Object>()
		 ->Get(context, text(specifier))
		 .ToLocal(&builtin) ||
	    !builtin->IsObject())
		return {};

	v8::Local<v8::Array> keys;
	if (!builtin.As<v8::Object>()->GetOwnPropertyNames(context).ToLocal(
		&keys))
		return {};
	std::vector<v8::Local<v8::String>> names;
	for (uint32_t i = 0; i < keys->Length(); i++) {
		v8::Local<v8::Value> key;
		if (keys->Get(context, i).ToLocal(&key) && key->IsString())
			names.push_back(key.As<v8::String>());
	}
	return synthetic_new(specifier, names);
}

// The one place that decides what an import may name.
v8::MaybeLocal<v8::Module>
module_find(v8::Local<v8::Context> context, const std::string &specifier,
    const std::string &referrer)
{
	const bool relative =
	    !specifier.empty() && (specifier[0] == '.' || specifier[0] == '/');
	const std::string path =
	    relative ? path_join(referrer, specifier) : specifier;
	v8::Local<v8::Module> module;

	auto known = modules.loaded.find(path);
	if (known != modules.loaded.end())
		return known->second.Get(modules.isolate);
	if (!relative && builtin_find(context, specifier).ToLocal(&module))
		return module;

	const struct pack_file *file =
	    path.empty() ? nullptr : file_resolve(path);
	if (file == nullptr) {
		throw_error("cannot find module '" + specifier +
		    "' imported from '" + referrer + "': " +
		    (relative ? "the bundle has no such file"
			      : "it is neither in the bundle nor built in; "
				"bundle it with 'cordon build'"));
		return {};
	}
	known = modules.loaded.find(path_of(*file));
	if (known != modules.loaded.end())
		return known->second.Get(modules.isolate);
	if (ends_with(path_of(*file), ".json"))
		return synthetic_new(path_of(*file), {});
	return module_compile(*file);
}

v8::MaybeLocal<v8::Module>
on_resolve(v8::Local<v8::Context> context, v8::Local<v8::String> specifier,
    v8::Local<v8::FixedArray>, v8::Local<v8::Module> referrer)
{
	return module_find(context, utf8(specifier), path_of_module(referrer));
}

void
on_imported(const v8::FunctionCallbackInfo<v8::Value> &args)
{
	args.GetReturnValue().Set(args.Data());
}

// A later turn: no module is in the middle of its evaluation any more.
void
on_import_turn(const v8::FunctionCallbackInfo<v8::Value> &args)
{
	auto context = modules.isolate->GetCurrentContext();
	auto known = modules.loaded.find(utf8(args.Data()));
	v8::Local<v8::Promise> settled;
	v8::Local<v8::Function> namespace_get;
	v8::Local<v8::Value> value;

	if (known == modules.loaded.end())
		return;
	auto module = known->second.Get(modules.isolate);
	if (module->Evaluate(context).ToLocal(&value) &&
	    v8::Function::New(
		context, on_imported, module->GetModuleNamespace())
		.ToLocal(&namespace_get) &&
	    value.As<v8::Promise>()
		->Then(context, namespace_get)
		.ToLocal(&settled))
		args.GetReturnValue().Set(settled);
}

// The evaluation is put off: V8 ends the process that evaluates a module (or
// what imports it) from within its own top level.
v8::MaybeLocal<v8::Promise>
import_settle(v8::Local<v8::Context> context, v8::Local<v8::Module> module)
{
	v8::Local<v8::Promise::Resolver> resolver;
	v8::Local<v8::Function> turn;

	if (module->GetStatus() == v8::Module::kUninstantiated &&
	    !module->InstantiateModule(context, on_resolve).FromMaybe(false))
		return {};
	if (!v8::Promise::Resolver::New(context).ToLocal(&resolver) ||
	    !v8::Function::New(
		context, on_import_turn, text(path_of_module(module)))
		 .ToLocal(&turn))
		return {};
	(void)resolver->Resolve(context, v8::Undefined(modules.isolate));
	return resolver->GetPromise()->Then(context, turn);
}

v8::MaybeLocal<v8::Promise>
on_import(v8::Local<v8::Context> context, v8::Local<v8::Data>,
    v8::Local<v8::Value> resource_name, v8::Local<v8::String> specifier,
    v8::Local<v8::FixedArray>)
{
	v8::TryCatch caught(modules.isolate);
	v8::Local<v8::Module> module;
	v8::Local<v8::Promise> promise;

	if (module_find(context, utf8(specifier), utf8(resource_name))
		.ToLocal(&module) &&
	    import_settle(context, module).ToLocal(&promise))
		return promise;
	if (!caught.HasCaught() || caught.HasTerminated()) {
		caught.ReThrow();
		return {};
	}
	v8::Local<v8::Promise::Resolver> resolver;
	if (!v8::Promise::Resolver::New(context).ToLocal(&resolver))
		return {};
	(void)resolver->Reject(context, caught.Exception());
	return resolver->GetPromise();
}

void
on_import_meta(v8::Local<v8::Context> context, v8::Local<v8::Module> module,
    v8::Local<v8::Object> meta)
{
	(void)meta->CreateDataProperty(context, text("url"),
	    text("file:///bundle/" + path_of_module(module)));
}

bool
script_compile(v8::Local<v8::Context> context, const struct pack_file &file,
    v8::Local<v8::Script> *script)
{
	v8::ScriptOrigin origin(text(path_of(file)));
	v8::ScriptCompiler::Source source(source_of(file), origin);
	const auto options = file.data_len <= eager_bytes
	    ? v8::ScriptCompiler::kEagerCompile
	    : v8::ScriptCompiler::kNoCompileOptions;

	return v8::ScriptCompiler::Compile(context, &source, options)
	    .ToLocal(script);
}

// Does it import, export or await? Then it can only be a module.
bool
is_only_module(v8::Local<v8::Context> context, v8::Local<v8::Module> module)
{
	if (module->GetModuleRequests()->Length() > 0 || module->IsGraphAsync())
		return true;
	v8::Local<v8::Array> names;
	return module->GetModuleNamespace()
		   .As<v8::Object>()
		   ->GetPropertyNames(context)
		   .ToLocal(&names) &&
	    names->Length() > 0;
}

} // namespace

void
modules_init(v8::Isolate *isolate, v8::Local<v8::Object> entry)
{
	modules.isolate = isolate;
	modules.entry.Reset(isolate, entry);
	isolate->SetHostImportModuleDynamicallyCallback(on_import);
	isolate->SetHostInitializeImportMetaObjectCallback(on_import_meta);
}

void
modules_files(const struct pack_file *files, uint32_t n_files)
{
	modules.files = files;
	modules.n_files = n_files;
}

const struct pack_file *
modules_file(const char *path, size_t len)
{
	for (uint32_t i = 0; i < modules.n_files; i++)
		if (modules.files[i].path_len == len &&
		    memcmp(modules.files[i].path, path, len) == 0)
			return &modules.files[i];
	return nullptr;
}

bool
modules_pick(v8::Local<v8::Context> context, uint32_t *index)
{
	v8::Isolate *isolate = modules.isolate;
	if (modules.n_files == 1) {
		*index = 0;
		return true;
	}

	auto paths = v8::Array::New(isolate, (int)modules.n_files);
	for (uint32_t i = 0; i < modules.n_files; i++)
		paths->Set(context, i, text(path_of(modules.files[i]))).Check();
	const struct pack_file *package = modules_file("package.json", 12);
	v8::Local<v8::Value> args[] = { paths,
		package != nullptr ? v8::Local<v8::Value>(source_of(*package))
				   : v8::Undefined(isolate) };
	auto entry = modules.entry.Get(isolate);
	v8::Local<v8::Value> pick, picked;
	if (!entry->Get(context, text("pickEntry")).ToLocal(&pick) ||
	    !pick.As<v8::Function>()
		 ->Call(context, entry, 2, args)
		 .ToLocal(&picked))
		return false;

	const std::string path = utf8(picked);
	const struct pack_file *file = modules_file(path.data(), path.size());
	if (file == nullptr) {
		throw_error("the bundle has no file '" + path + "'");
		return false;
	}
	*index = (uint32_t)(file - modules.files);
	return true;
}

enum modules_goal
modules_entry(v8::Local<v8::Context> context, uint32_t index,
    v8::Local<v8::Module> *module, v8::Local<v8::Script> *script)
{
	const struct pack_file &file = modules.files[index];
	const bool may_be_script = !ends_with(path_of(file), ".mjs");
	v8::TryCatch first(modules.isolate);

	if (!module_compile(file).ToLocal(module)) {
		// Sloppy code (with, octals …) is no module but may be a script.
		v8::TryCatch second(modules.isolate);
		if (may_be_script && script_compile(context, file, script))
			return MODULES_SCRIPT;
		second.Reset();
		first.ReThrow();
		return MODULES_ERROR;
	}
	if (!(*module)
		 ->InstantiateModule(context, on_resolve)
		 .FromMaybe(false)) {
		first.ReThrow();
		return MODULES_ERROR;
	}
	if (may_be_script && !is_only_module(context, *module)) {
		v8::TryCatch second(modules.isolate);
		if (script_compile(context, file, script))
			return MODULES_SCRIPT;
	}
	return MODULES_MODULE;
}
