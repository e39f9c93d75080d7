#include "runs/version_store.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/durable.h"
#include "io/folder_listing.h"
#include "io/json_text.h"
#include "io/system_calls.h"
#include "kernels/error.h"
#include "runs/attempt.h"
#include "runs/plain_name.h"
#include "runs/run_record.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

Json read_document(const fs::path& path) {
    Json document = parse_json(read_file(path, std::size_t(16) << 20), path.string());
    if (!document.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", path.string(), document.type_name());
    return document;
}

// The stems of a folder's .json files; what is half written begins with a point.
std::vector<std::string> stems(const fs::path& folder) {
    std::vector<std::string> names;
    for (const fs::path& path : entries_of(folder))
        if (path.extension() == ".json" && !path.filename().string().starts_with(".")) names.push_back(path.stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

std::optional<std::int64_t> number_of(const std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
    return number;
}

fs::path version_path(const fs::path& folder, std::int64_t number) { return folder / "versions" / fmt::format("{:04}.json", number); }

std::string text_of(const Json& document) { return json_text(document, 2) + "\n"; }

std::int64_t sequence_of(const Json& entry, const fs::path& path) {
    if (entry.is_object() && entry.contains("sequence") && entry["sequence"].is_number_integer()) return entry["sequence"].get<std::int64_t>();
    throw_error(ExitCode::bad_data, "{}: no number \"sequence\" in it, expected an alias as temper writes it", path.string());
}

// The sequence number of the move that a rollback of this one returns to; 0: none.
std::int64_t previous_of(const Json& entry) {
    const Json previous = entry.value("previous", Json());
    return previous.is_number_integer() ? previous.get<std::int64_t>() : 0;
}

void make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw_error(ExitCode::io_error, "{}: {}; name a directory that can be written", folder.string(), error.message());
}

// Temporary files of killed processes; only the holder of the lock writes here.
void remove_stages(const fs::path& folder) {
    std::error_code ignored;
    for (const fs::path& path : entries_of(folder))
        if (path.filename().string().starts_with(".stage-")) fs::remove(path, ignored);
}

// A file that must not be there yet. Another writer may have made it all the same, where locks do not reach from one machine to the next.
void create_durable(const fs::path& path, const std::string& text) {
    const fs::path staged = staging_path(path);
    write_durable(staged, text);
    const int failure = system_calls().link(staged.c_str(), path.c_str()) == 0 ? 0 : errno;
    const bool no_links = failure == EPERM || failure == EOPNOTSUPP || failure == ENOSYS;  // the file system has none
    if (failure != 0 && (!no_links || fs::exists(path))) {
        system_calls().unlink(staged.c_str());
        throw_error(ExitCode::io_error, "{}: {}; another process writes here without the lock: try again", path.string(),
                    std::strerror(no_links ? EEXIST : failure));
    }
    rename_durable(staged, path);  // of two names of one file it changes nothing, and syncs the folder
    system_calls().unlink(staged.c_str());
}

}  // namespace

std::vector<std::string> stores_under(const fs::path& folder) {
    std::vector<std::string> names;
    for (const fs::path& path : entries_of(folder))
        if (VersionStore(path).exists()) names.push_back(path.filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

bool VersionStore::exists() const { return fs::is_directory(folder_ / "versions"); }

std::vector<std::int64_t> VersionStore::versions() const {
    std::vector<std::int64_t> numbers;
    for (const std::string& stem : stems(folder_ / "versions"))
        if (const auto number = number_of(stem)) numbers.push_back(*number);
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

Json VersionStore::version(std::int64_t number) const {
    const fs::path path = version_path(folder_, number);
    if (!fs::exists(path)) {
        const std::vector<std::int64_t> known = versions();
        throw_error(ExitCode::missing_input, "{}: no version {}; there {}", folder_.string(), number,
                    known.empty()       ? "is none yet"
                    : known.size() == 1 ? fmt::format("is {}", known[0])
                                        : fmt::format("are {} to {}", known.front(), known.back()));
    }
    return read_document(path);
}

std::vector<std::string> VersionStore::aliases() const { return stems(folder_ / "aliases"); }

std::optional<Json> VersionStore::alias(const std::string& name) const {
    const fs::path path = alias_path(name);
    if (!fs::exists(path)) return std::nullopt;
    Json pointer = read_document(path);
    sequence_of(pointer, path);
    if (!pointer.contains("version") || !pointer["version"].is_number_integer())
        throw_error(ExitCode::bad_data, "{}: no number \"version\" in it, expected an alias as temper writes it", path.string());
    return pointer;
}

std::vector<std::string> VersionStore::aliases_of(std::int64_t version) const {
    std::vector<std::string> names;
    for (const std::string& name : aliases())
        if (const auto pointer = alias(name); pointer && pointer->at("version") == version) names.push_back(name);
    return names;
}

std::vector<Json> VersionStore::history(const std::string& name) const {
    const std::optional<Json> pointer = alias(name);
    const fs::path path = history_path(name);
    if (!pointer || !fs::exists(path)) return {};
    const Json document = read_document(path);
    if (!document.contains("moves") || !document["moves"].is_array())
        throw_error(ExitCode::bad_data, "{}: no list \"moves\" in it, expected the history of an alias as temper writes it", path.string());
    std::vector<Json> moves;
    for (const Json& entry : document["moves"])
        if (sequence_of(entry, path) <= sequence_of(*pointer, alias_path(name))) moves.push_back(entry);
    return moves;
}

VersionStore::Writer::Writer(const VersionStore& store, double seconds) : store_(store) {
    for (const char* folder : {"versions", "aliases", "history"}) make_folder(store.folder_ / folder);
    const fs::path path = store.folder_ / ".lock";
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0) throw_error(ExitCode::io_error, "{}: open: {}", path.string(), std::strerror(errno));
    const double begin = monotonic_seconds();
    while (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        if ((error == EWOULDBLOCK || error == EINTR) && monotonic_seconds() - begin < seconds) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            continue;
        }
        ::close(file_);
        if (error != EWOULDBLOCK) throw_error(ExitCode::io_error, "{}: flock: {}", path.string(), std::strerror(error));
        throw_error(ExitCode::run_locked, "{}: held by another process for {:.0f} s; try again when it is done", path.string(), seconds);
    }
    for (const char* folder : {"versions", "aliases", "history"}) remove_stages(store.folder_ / folder);
}

VersionStore::Writer::~Writer() { ::close(file_); }

std::int64_t VersionStore::Writer::add(Json document) const {
    const std::vector<std::int64_t> known = store_.versions();
    const std::int64_t number = known.empty() ? 1 : known.back() + 1;
    document["version"] = number;
    create_durable(version_path(store_.folder_, number), text_of(document));
    return number;
}

Json VersionStore::Writer::move(const std::string& alias, Json pointer, const std::string& action) const {
    const std::optional<Json> current = store_.alias(alias);
    return place(alias, std::move(pointer), action, current ? sequence_of(*current, store_.alias_path(alias)) : 0);
}

Json VersionStore::Writer::move_before(const std::string& alias, const Same& same) const {
    const std::optional<Json> current = store_.alias(alias);
    const std::vector<Json> moves = store_.history(alias);
    std::int64_t target = current ? previous_of(*current) : 0;
    // From the newest on, so that each step back is met once: a move's previous one is older than the move.
    for (auto move = moves.rbegin(); move != moves.rend(); ++move) {
        if (sequence_of(*move, store_.history_path(alias)) != target) continue;
        if (!same(*move, *current)) return *move;
        target = previous_of(*move);
    }
    throw_error(ExitCode::usage, "{}: {} has stood for {}; there is nothing to go back to", store_.folder_.string(), alias,
                !current                     ? "nothing yet"
                : previous_of(*current) == 0 ? fmt::format("version {} alone", current->at("version").dump())
                                             : fmt::format("version {} and others of the same content alone", current->at("version").dump()));
}

Json VersionStore::Writer::roll_back(const std::string& alias, const Json& earlier) const {
    return place(alias, earlier, "rollback", previous_of(earlier));
}

Json VersionStore::Writer::place(const std::string& alias, Json pointer, const std::string& action, std::int64_t previous) const {
    check_plain_name("alias", alias);
    std::vector<Json> moves = store_.history(alias);
    const std::optional<Json> current = store_.alias(alias);
    pointer["alias"] = alias;
    pointer["sequence"] = current ? sequence_of(*current, store_.alias_path(alias)) + 1 : 1;
    pointer["previous"] = previous;
    pointer["moved_at"] = utc_now();
    pointer["action"] = action;
    moves.push_back(pointer);
    write_durable(store_.history_path(alias), text_of(Json{{"alias", alias}, {"moves", moves}}));
    write_durable(store_.alias_path(alias), text_of(pointer));
    return pointer;
}

}  // namespace temper
