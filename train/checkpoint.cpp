#include "train/checkpoint.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include "io/durable.h"
#include "io/folder_listing.h"
#include "io/hdf5/state_file.h"
#include "io/json_section.h"
#include "io/system_calls.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

constexpr std::size_t manifest_limit = std::size_t(1) << 20;
constexpr const char* vector_names[] = {"adapter", "first_moment", "second_moment"};

State to_file(TrainState&& state) {
    State file;
    file.floats["adapter"] = std::move(state.parameters);
    file.floats["first_moment"] = std::move(state.first_moment);
    file.floats["second_moment"] = std::move(state.second_moment);
    file.integers = {{"step", {state.step}}};
    file.texts = {{"cursor", state.cursor.dump()}};
    // Byte by byte: attributes hold neither NUL nor much.
    for (const char byte : state.algorithms) file.integers["algorithms"].push_back(static_cast<unsigned char>(byte));
    return file;
}

Json tensors_of(const TrainState& state) {
    Json tensors = Json::array();
    const std::vector<float>* values[] = {&state.parameters, &state.first_moment, &state.second_moment};
    for (int i = 0; i < 3; ++i) {
        const std::string_view bytes(reinterpret_cast<const char*>(values[i]->data()), values[i]->size() * sizeof(float));
        tensors.push_back({{"name", vector_names[i]}, {"dtype", "float32"}, {"shape", {values[i]->size()}}, {"sha256", sha256_hex(bytes)}});
    }
    return tensors;
}

Json manifest_of(std::int64_t step, Json tensors, std::string_view body) {
    Json manifest = {{"format_version", CheckpointStore::format_version}, {"step", step}};
    manifest["files"] = Json::array({{{"name", "state.h5"}, {"size", body.size()}, {"sha256", sha256_hex(body)}}});
    manifest["tensors"] = std::move(tensors);
    // Last, over all that stands before it: a changed manifest is a bad one, whichever of its bits it was.
    manifest["sha256"] = sha256_hex(manifest.dump(2));
    return manifest;
}

[[noreturn]] void refuse(const fs::path& file, const std::string& why) { throw_error(ExitCode::no_checkpoint, "{}: {}", file.string(), why); }

// Reads, compares and returns the body of a checkpoint; `manifest` comes out verified. Every failure says which file and why.
std::string verified_body(const fs::path& dir, Json& manifest) {
    const fs::path manifest_path = dir / "manifest.json", body_path = dir / "state.h5";
    const std::string text = read_file(manifest_path, manifest_limit);
    manifest = parse_json(text, manifest_path.string(), {manifest_limit, 16});
    if (!manifest.is_object() || !manifest.contains("sha256") || !manifest["sha256"].is_string())
        refuse(manifest_path, "it has no sha256 of its own");
    Json unsigned_part = manifest;
    unsigned_part.erase("sha256");
    // The text is compared too: bytes that JSON does not see (spaces, escapes) must be those that were written.
    if (sha256_hex(unsigned_part.dump(2)) != manifest["sha256"] || text != manifest.dump(2) + "\n")
        refuse(manifest_path, "its own sha256 does not hold");
    if (manifest["format_version"] != CheckpointStore::format_version) {
        refuse(manifest_path, fmt::format("format_version {}, expected {}", manifest["format_version"].dump(), CheckpointStore::format_version));
    }
    const Json& file = manifest.at("files").at(0);
    const auto size = static_cast<std::uint64_t>(JsonSection(file, manifest_path.string() + ": files").integer("size", 0, INT64_MAX));
    const std::uint64_t found = fs::file_size(body_path);
    if (found != size) refuse(body_path, fmt::format("{} bytes, expected {}", found, size));
    std::string body = read_file(body_path);
    if (const std::string hash = sha256_hex(body); hash != file.at("sha256")) {
        refuse(body_path, fmt::format("SHA-256 {}, expected {}", hash, file.at("sha256").get<std::string>()));
    }
    return body;
}

TrainState decode(const std::string& body, const Json& manifest, const fs::path& dir) {
    const std::string name = (dir / "state.h5").string();
    State file = decode_state(body, name);
    for (const char* vector : vector_names) {
        if (!file.floats.contains(vector)) refuse(name, fmt::format("no dataset {}", vector));
    }
    TrainState state;
    state.parameters = std::move(file.floats["adapter"]);
    state.first_moment = std::move(file.floats["first_moment"]);
    state.second_moment = std::move(file.floats["second_moment"]);
    if (state.first_moment.size() != state.parameters.size() || state.second_moment.size() != state.parameters.size()) {
        refuse(name, fmt::format("adapter, first_moment and second_moment have {}, {} and {} elements, expected the same", state.parameters.size(),
                                 state.first_moment.size(), state.second_moment.size()));
    }
    state.step = JsonSection(manifest, (dir / "manifest.json").string()).integer("step", 0, INT64_MAX);
    if (!file.integers.contains("step") || file.integers["step"] != std::vector<std::int64_t>{state.step}) {
        refuse(name, fmt::format("its step is not that of the manifest, {}", state.step));
    }
    if (!file.texts.contains("cursor")) refuse(name, "no attribute cursor");
    for (const std::int64_t byte : file.integers["algorithms"]) {
        if (byte < 0 || byte > 255) refuse(name, fmt::format("algorithms: found {}, expected bytes", byte));
        state.algorithms.push_back(static_cast<char>(byte));
    }
    state.cursor = parse_json(file.texts["cursor"], name + ": cursor");
    return state;
}

// Errors of the libraries below become ours, so that a damaged checkpoint is passed over and never ends the program.
template <class Function> auto as_no_checkpoint(const fs::path& dir, Function function) {
    try {
        return function();
    } catch (const Error& error) {
        throw Error(ExitCode::no_checkpoint, error.what());
    } catch (const Json::exception& error) {
        throw_error(ExitCode::no_checkpoint, "{}: manifest.json is not a manifest: {}", dir.string(), error.what());
    } catch (const fs::filesystem_error& error) {
        throw_error(ExitCode::no_checkpoint, "{}: {}", dir.string(), error.code().message());
    }
}

constexpr const char* aside = "aside-";

void move(const fs::path& from, const fs::path& to) {
    if (system_calls().rename(from.c_str(), to.c_str()) == 0) return;
    const int code = errno;
    throw_error(ExitCode::io_error, "{}: rename to {}: {}", from.string(), to.string(), std::strerror(code));
}

// Step of a name step-00000100, -1 for any other name.
std::int64_t step_of(const std::string& name) {
    if (!name.starts_with("step-") || name.size() < 13 || name.size() > 23) return -1;
    std::int64_t step = -1;
    const char* end = name.data() + name.size();
    const auto [stopped, error] = std::from_chars(name.data() + 5, end, step);
    return error == std::errc() && stopped == end ? step : -1;
}

}  // namespace

TrainState load_checkpoint(const fs::path& step_dir) {
    return as_no_checkpoint(step_dir, [&] {
        Json manifest;
        const std::string body = verified_body(step_dir, manifest);
        return decode(body, manifest, step_dir);
    });
}

CheckpointStore::CheckpointStore(fs::path dir, fs::path staging, Log log)
    : dir_(std::move(dir)), staging_(std::move(staging)), log_(std::move(log)) {}

void CheckpointStore::log(const std::string& text) const {
    if (log_) log_(text);
}

fs::path CheckpointStore::path_of(std::int64_t step) const { return dir_ / fmt::format("step-{:08}", step); }

std::vector<std::int64_t> CheckpointStore::steps() const {
    std::vector<std::int64_t> found;
    for (const fs::path& path : entries_of(dir_)) {
        const std::int64_t step = step_of(path.filename().string());
        if (step >= 0 && path == path_of(step)) found.push_back(step);
    }
    std::sort(found.begin(), found.end());
    return found;
}

fs::path CheckpointStore::save(TrainState state) {
    assert(state.step >= 0 && state.first_moment.size() == state.parameters.size() && state.second_moment.size() == state.parameters.size());
    if (system_calls().mkdir(dir_.c_str(), 0777) != 0 && errno != EEXIST) {
        const int error = errno;
        throw_error(ExitCode::io_error, "{}: mkdir: {}", dir_.string(), std::strerror(error));
    }
    const std::int64_t step = state.step;
    Json tensors = tensors_of(state);
    const std::string body = encode_state(to_file(std::move(state)));
    const Json manifest = manifest_of(step, std::move(tensors), body);
    const fs::path target = path_of(step);
    if (fs::exists(target)) {
        try {
            Json there;
            as_no_checkpoint(target, [&] { return verified_body(target, there); });
            if (there == manifest) return target;
            log(fmt::format("{}: replaced: it holds another state of this step", target.string()));
        } catch (const Error& error) {
            log(fmt::format("{}: replaced: {}", target.string(), error.what()));
        }
    }
    StagedDirectory staged(target, staging_);
    staged.write("state.h5", body);
    staged.write("manifest.json", manifest.dump(2) + "\n");
    // Only now does the one it replaces go, so that a save that fails before leaves it.
    if (fs::exists(target)) discard(target);
    staged.commit();
    return target;
}

std::optional<TrainState> CheckpointStore::load_newest() {
    const std::vector<std::int64_t> all = steps();
    std::string last_reason;
    for (auto step = all.rbegin(); step != all.rend(); ++step) {
        try {
            return load(*step);
        } catch (const Error& error) {
            last_reason = error.what();
            log(fmt::format("checkpoint passed over: {}", last_reason));
        }
    }
    if (all.empty()) return std::nullopt;
    throw_error(ExitCode::no_checkpoint, "{}: none of {} checkpoints can be read; of the oldest: {}; restore one, or start anew with --resume no",
                dir_.string(), all.size(), last_reason);
}

TrainState CheckpointStore::load(std::int64_t step) {
    TrainState state = load_checkpoint(path_of(step));
    if (state.step != step) refuse(path_of(step) / "manifest.json", fmt::format("step {}, expected that of the directory's name", state.step));
    loaded_.push_back(step);
    return state;
}

void CheckpointStore::set_aside_after(std::int64_t step) {
    for (const std::int64_t later : steps()) {
        if (later <= step) continue;
        const fs::path from = path_of(later), to = dir_ / (aside + from.filename().string());
        std::error_code error;
        fs::remove_all(to, error);
        move(from, to);
        log(fmt::format("{} is set aside as {}: the run goes on from step {}", from.string(), to.filename().string(), step));
    }
}

void CheckpointStore::prune(std::int64_t keep_last, const std::vector<std::int64_t>& protected_steps) {
    if (keep_last <= 0) return;
    const auto in = [](const std::vector<std::int64_t>& list, std::int64_t step) { return std::find(list.begin(), list.end(), step) != list.end(); };
    std::int64_t kept = 0, newest = -1;
    const std::vector<std::int64_t> all = steps();
    for (auto step = all.rbegin(); step != all.rend(); ++step) {
        if (kept < keep_last) {
            // Only what can be read counts; what cannot stays for a person to look at until enough newer ones stand.
            try {
                Json manifest;
                as_no_checkpoint(path_of(*step), [&] { return verified_body(path_of(*step), manifest); });
                ++kept;
                newest = std::max(newest, *step);
            } catch (const Error& error) {
                log(fmt::format("not counted among the checkpoints to keep: {}", error.what()));
            }
            continue;
        }
        if (in(protected_steps, *step) || in(loaded_, *step)) continue;
        try {
            discard(path_of(*step));
        } catch (const Error& error) {
            log(error.what());
        }
    }
    if (kept < keep_last) return;
    std::error_code error;
    std::vector<fs::path> passed;
    for (fs::directory_iterator entry(dir_, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (name.starts_with(aside) && step_of(name.substr(std::strlen(aside))) <= newest) passed.push_back(entry->path());
    }
    for (const fs::path& path : passed) fs::remove_all(path, error);
}

// Out of the loader's sight by one rename, then gone; half-deleted checkpoints are never seen.
void CheckpointStore::discard(const fs::path& step_dir) {
    const fs::path trash = dir_ / (".trash-" + step_dir.filename().string());
    std::error_code error;
    fs::remove_all(trash, error);
    move(step_dir, trash);
    for (const char* name : {"state.h5", "manifest.json"}) system_calls().unlink((trash / name).c_str());
    fs::remove_all(trash, error);
    if (error) log(fmt::format("{}: could not be removed: {}", trash.string(), error.message()));
}

}  // namespace temper
