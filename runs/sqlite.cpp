#include "runs/sqlite.h"

#include <sqlite3.h>

#include "io/json_text.h"

namespace temper {
namespace {

[[noreturn]] void fail(sqlite3* database, const std::string& place) {
    const int code = database == nullptr ? SQLITE_NOMEM : sqlite3_errcode(database) & 0xff;
    throw DatabaseError(fmt::format("{}: {}", place, database == nullptr ? "out of memory" : sqlite3_errmsg(database)),
                        code == SQLITE_BUSY || code == SQLITE_LOCKED);
}

}  // namespace

void Statement::Close::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Statement::Statement(std::shared_ptr<sqlite3> database, std::string place, std::string_view sql)
    : database_(std::move(database)), place_(std::move(place)) {
    sqlite3_stmt* made = nullptr;
    const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &made, nullptr);
    statement_.reset(made);
    check(code);
}

void Statement::check(int code) const {
    if (code != SQLITE_OK) fail(database_.get(), place_);
}

Statement& Statement::bind(int index, const Json& value) {
    sqlite3_stmt* const to = statement_.get();
    if (value.is_null()) check(sqlite3_bind_null(to, index));
    else if (value.is_boolean()) check(sqlite3_bind_int64(to, index, value.get<bool>() ? 1 : 0));
    else if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) check(sqlite3_bind_double(to, index, value.get<double>()));
    else if (value.is_number_integer()) check(sqlite3_bind_int64(to, index, value.get<std::int64_t>()));
    else if (value.is_number()) check(sqlite3_bind_double(to, index, value.get<double>()));
    else {
        const std::string text = text_or_json(value);
        check(sqlite3_bind_text64(to, index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
    }
    return *this;
}

bool Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) fail(database_.get(), place_);
    return code == SQLITE_ROW;
}

void Statement::reset() { check(sqlite3_reset(statement_.get())); }

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string Statement::text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    return bytes == nullptr ? "" : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

Json Statement::value(int column) const {
    switch (sqlite3_column_type(statement_.get(), column)) {
        case SQLITE_INTEGER: return integer(column);
        case SQLITE_FLOAT: return sqlite3_column_double(statement_.get(), column);
        case SQLITE_NULL: return nullptr;
        default: return text(column);
    }
}

Database::Database(std::string place, const char* name, int flags, double busy_seconds) : place_(std::move(place)) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(name, &opened, flags, nullptr);
    database_.reset(opened, [](sqlite3* database) { sqlite3_close_v2(database); });
    if (code != SQLITE_OK) fail(opened, place_);
    sqlite3_busy_timeout(opened, static_cast<int>(busy_seconds * 1000));
}

Database::Database(const std::filesystem::path& path, Mode mode, double busy_seconds)
    : Database(path.string(), path.c_str(), mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
               busy_seconds) {}

Database Database::in_memory() { return {"index in memory", ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0}; }

void Database::execute(const char* sql) {
    if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(database_.get(), place_);
}

}  // namespace temper
