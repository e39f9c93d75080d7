#include "runs/run_index.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <unordered_map>

#include <dirent.h>
#include <sys/stat.h>

#include "kernels/error.h"
#include "runs/record_fields.h"
#include "runs/run_list.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

constexpr int format_version = 1;
const char* const file_name = ".index.sqlite";

// What tells one content of run.json from another: it is always replaced by rename, so that the inode changes, too.
struct Stamp {
    std::int64_t inode = 0, size = 0, mtime = 0, ctime = 0;
    bool operator==(const Stamp&) const = default;
};

using Stamps = std::unordered_map<std::string, Stamp>;

// Of every run under the directory.
Stamps stamps_on_disk(const fs::path& output_dir) {
    Stamps stamps;
    DIR* const folder = opendir(output_dir.c_str());
    if (folder == nullptr) throw_error(ExitCode::io_error, "{}: opendir: {}", output_dir.string(), std::strerror(errno));
    while (const dirent* entry = readdir(folder)) {
        if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)) continue;
        struct stat file {};
        const std::string record = std::string(entry->d_name) + "/run.json";
        if (fstatat(dirfd(folder), record.c_str(), &file, 0) != 0 || !S_ISREG(file.st_mode)) continue;
        const auto nanoseconds = [](const timespec& time) { return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec; };
        stamps[entry->d_name] = {static_cast<std::int64_t>(file.st_ino), file.st_size, nanoseconds(file.st_mtim), nanoseconds(file.st_ctim)};
    }
    closedir(folder);
    return stamps;
}

struct KnownRun {
    std::int64_t id = 0;
    Stamp stamp;
    bool running = false;
    std::string status;
};

std::unordered_map<std::string, KnownRun> known_runs(const Database& database) {
    std::unordered_map<std::string, KnownRun> known;
    Statement rows = database.prepare("SELECT id, dir, inode, size, mtime, ctime, running, status FROM runs");
    while (rows.step())
        known[rows.text(1)] = {
            rows.integer(0), {rows.integer(2), rows.integer(3), rows.integer(4), rows.integer(5)}, rows.integer(6) != 0, rows.text(7)};
    return known;
}

// Writes records into the tables, within one transaction.
class Writer {
  public:
    explicit Writer(Database& database)
        : add_run_(database.prepare("INSERT INTO runs(dir, inode, size, mtime, ctime, running, status, created_at, summary) "
                                    "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id")),
          add_name_(database.prepare("INSERT INTO names(name) VALUES(?) RETURNING id")),
          add_field_(database.prepare("INSERT OR REPLACE INTO fields(run, name, value) VALUES(?, ?, ?)")),
          remove_fields_(database.prepare("DELETE FROM fields WHERE run = ?")),
          remove_run_(database.prepare("DELETE FROM runs WHERE id = ?")),
          set_status_(database.prepare("UPDATE runs SET status = ? WHERE id = ?")) {
        Statement names = database.prepare("SELECT name, id FROM names");
        while (names.step()) names_[names.text(0)] = names.integer(1);
    }

    void remove(std::int64_t run) {
        remove_fields_.bind(1, run).run();
        remove_run_.bind(1, run).run();
    }
    void set_status(std::int64_t run, const std::string& status) { set_status_.bind(1, status).bind(2, run).run(); }

    // `record` null: one that cannot be read, remembered so that it is not read each time.
    void add(const std::string& dir, const Stamp& stamp, const Json& record, const std::string& status) {
        const bool readable = record.is_object();
        const std::string recorded = readable ? record.value("status", Json()).is_string() ? record["status"].get<std::string>() : "" : "unreadable";
        add_run_.bind(1, dir).bind(2, stamp.inode).bind(3, stamp.size).bind(4, stamp.mtime).bind(5, stamp.ctime).bind(6, recorded == "running");
        add_run_.bind(7, readable ? status : recorded);
        add_run_.bind(8, readable && record.contains("created_at") ? record["created_at"] : Json());
        add_run_.bind(9, readable ? record_summary(record) : "");
        add_run_.step();
        const std::int64_t run = add_run_.integer(0);
        add_run_.reset();
        if (!readable) return;
        for_each_field(record,
                       [&](const std::string& name, const Json& value) { add_field_.bind(1, run).bind(2, name_id(name)).bind(3, value).run(); });
    }

  private:
    std::int64_t name_id(const std::string& name) {
        const auto [at, fresh] = names_.try_emplace(name, 0);
        if (fresh) {
            add_name_.bind(1, name).step();
            at->second = add_name_.integer(0);
            add_name_.reset();
        }
        return at->second;
    }

    Statement add_run_, add_name_, add_field_, remove_fields_, remove_run_, set_status_;
    std::unordered_map<std::string, std::int64_t> names_;
};

class Transaction {
  public:
    explicit Transaction(Database& database) : database_(database) { database_.execute("BEGIN IMMEDIATE"); }
    ~Transaction() {
        if (done_) return;
        try {
            database_.execute("ROLLBACK");
        } catch (const Error&) {
            // The error that led here is the one to report.
        }
    }
    void commit() {
        database_.execute("COMMIT");
        done_ = true;
    }

  private:
    Database& database_;
    bool done_ = false;
};

}  // namespace

void RunIndex::make_tables() {
    Statement version = database_.prepare("PRAGMA user_version");
    version.step();
    const std::int64_t found = version.integer(0);
    version.reset();
    if (found == format_version) return;
    Transaction transaction(database_);
    database_.execute(
        "DROP TABLE IF EXISTS fields; DROP TABLE IF EXISTS names; DROP TABLE IF EXISTS runs;"
        "CREATE TABLE runs(id INTEGER PRIMARY KEY, dir TEXT UNIQUE NOT NULL, inode INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER,"
        " running INTEGER, status TEXT, created_at TEXT, summary TEXT);"
        "CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);"
        "CREATE TABLE fields(run INTEGER NOT NULL, name INTEGER NOT NULL, value, PRIMARY KEY(run, name)) WITHOUT ROWID;");
    database_.execute(fmt::format("PRAGMA user_version = {}", format_version).c_str());
    transaction.commit();
}

bool RunIndex::up_to_date(const fs::path& output_dir) const {
    const Stamps stamps = stamps_on_disk(output_dir);
    const auto known = known_runs(database_);
    if (stamps.size() != known.size()) return false;
    return std::all_of(known.begin(), known.end(), [&](const auto& entry) {
        const auto at = stamps.find(entry.first);
        if (at == stamps.end() || !(at->second == entry.second.stamp)) return false;
        return !entry.second.running || live_status(output_dir / entry.first, "running") == entry.second.status;
    });
}

void RunIndex::refresh(const fs::path& output_dir, const Log& log) {
    const Stamps stamps = stamps_on_disk(output_dir);
    const auto changed_of = [&](const std::unordered_map<std::string, KnownRun>& known) {
        std::vector<std::string> changed;
        for (const auto& [dir, stamp] : stamps)
            if (const auto at = known.find(dir); at == known.end() || !(at->second.stamp == stamp)) changed.push_back(dir);
        return changed;
    };
    const auto now = [&](const std::string& dir, const KnownRun& run) { return run.running ? live_status(output_dir / dir, "running") : run.status; };
    const auto differs = [&](const auto& entry) { return !stamps.contains(entry.first) || now(entry.first, entry.second) != entry.second.status; };
    auto known = known_runs(database_);
    if (changed_of(known).empty() && std::none_of(known.begin(), known.end(), differs)) return;  // without a lock
    Transaction transaction(database_);
    known = known_runs(database_);  // another process may have been first
    Writer writer(database_);
    for (const auto& [dir, run] : known) {
        if (!stamps.contains(dir)) writer.remove(run.id);
        else if (const std::string status = now(dir, run); status != run.status) writer.set_status(run.id, status);
    }
    for (const std::string& dir : changed_of(known)) {
        if (const auto at = known.find(dir); at != known.end()) writer.remove(at->second.id);
        try {
            const ListedRun run = read_run(output_dir / dir);
            writer.add(dir, stamps.at(dir), run.record, run.status);
        } catch (const Error& unreadable) {
            if (unreadable.code() == ExitCode::missing_input) continue;  // deleted meanwhile
            if (unreadable.code() != ExitCode::bad_data) throw;
            writer.add(dir, stamps.at(dir), nullptr, "");
            if (log) log(unreadable.what());
        }
        ++records_read_;
    }
    transaction.commit();
}

RunIndex RunIndex::open(const fs::path& output_dir, const Log& log, double busy_seconds) {
    if (!fs::is_directory(output_dir))
        throw_error(ExitCode::missing_input, "{}: no such directory; --output-dir names where the runs lie", output_dir.string());
    const fs::path path = output_dir / file_name;
    for (int attempt = 0; attempt < 2; ++attempt) {
        try {
            RunIndex index(Database(path, Database::Mode::read_write, busy_seconds), false);
            index.make_tables();
            index.refresh(output_dir, log);
            return index;
        } catch (const DatabaseError& error) {
            if (error.busy()) break;  // its file and journal belong to whoever writes them
            try {
                RunIndex index(Database(path, Database::Mode::read_only, busy_seconds), false);
                if (index.up_to_date(output_dir)) return index;
            } catch (const Error&) {
                // Damaged, or not there.
            }
            remove(output_dir);  // damaged: made anew; not to be written: the index in memory is next
        }
    }
    RunIndex index(Database::in_memory(), true);
    index.make_tables();
    index.refresh(output_dir, log);
    return index;
}

void RunIndex::remove(const fs::path& output_dir) {
    std::error_code ignored;
    for (const char* suffix : {"", "-journal"}) fs::remove(output_dir / (std::string(file_name) + suffix), ignored);
}

std::vector<IndexedRun> RunIndex::select(const std::optional<RunQuery>& query, const std::vector<std::string>& fields, std::int64_t newest) const {
    std::string sql = "SELECT r.dir, r.status, r.summary, " + run_field_sql("parent_run_id", "");
    std::vector<Json> values{"parent_run_id"};
    for (const std::string& field : fields) {
        sql += ", " + run_field_sql(field, "--show");
        if (field != "status") values.push_back(field);
    }
    sql += " FROM runs r WHERE r.status <> 'unreadable'";
    if (query) {
        sql += " AND " + query->sql;
        values.insert(values.end(), query->values.begin(), query->values.end());
    }
    sql += " ORDER BY r.created_at DESC, r.dir DESC LIMIT ?";
    values.push_back(newest);
    Statement rows = database_.prepare(sql);
    for (std::size_t i = 0; i < values.size(); ++i) rows.bind(static_cast<int>(i + 1), values[i]);
    std::vector<IndexedRun> found;
    while (rows.step()) {
        IndexedRun run{rows.text(0), rows.text(1), rows.text(3), rows.text(2), {}};
        for (std::size_t i = 0; i < fields.size(); ++i) run.values.push_back(rows.value(static_cast<int>(i) + 4));
        found.push_back(std::move(run));
    }
    std::reverse(found.begin(), found.end());
    return found;
}

std::vector<std::string> RunIndex::field_names() const {
    std::vector<std::string> names;
    Statement rows = database_.prepare("SELECT name FROM names ORDER BY name");
    while (rows.step()) names.push_back(rows.text(0));
    return names;
}

}  // namespace temper
