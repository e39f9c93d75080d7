// SQLite behind two small classes. Every failure is a DatabaseError, an io_error that names the file and the statement.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "io/jsonl.h"
#include "kernels/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace temper {

class DatabaseError : public Error {
  public:
    DatabaseError(const std::string& message, bool busy) : Error(ExitCode::io_error, message), busy_(busy) {}
    bool busy() const { return busy_; }  // another process holds the file, which is sound

  private:
    bool busy_;
};

class Statement {
  public:
    // Parameters are numbered from 1. A Json is bound as text, integer, real or null; a truth as 0 or 1.
    Statement& bind(int index, const Json& value);
    bool step();  // true: a row is there
    void reset();
    void run() {  // of a statement without rows
        step();
        reset();
    }

    std::int64_t integer(int column) const;
    std::string text(int column) const;
    Json value(int column) const;

  private:
    friend class Database;
    struct Close {
        void operator()(sqlite3_stmt* statement) const;
    };
    Statement(std::shared_ptr<sqlite3> database, std::string place, std::string_view sql);
    void check(int code) const;
    std::shared_ptr<sqlite3> database_;  // outlives the statement
    std::string place_;
    std::unique_ptr<sqlite3_stmt, Close> statement_;
};

class Database {
  public:
    enum class Mode : std::uint8_t { read_write, read_only };
    // Made where it is absent, for reading and writing. Another process that holds it is waited for so long.
    Database(const std::filesystem::path& path, Mode mode, double busy_seconds = 10);
    static Database in_memory();

    Statement prepare(std::string_view sql) const { return {database_, place_, sql}; }
    void execute(const char* sql);

  private:
    Database(std::string place, const char* name, int flags, double busy_seconds);
    std::shared_ptr<sqlite3> database_;
    std::string place_;
};

}  // namespace temper
