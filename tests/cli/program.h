// Runs the temper binary and keeps what it wrote.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "io/jsonl.h"
#include "tests/support/temporary_directory.h"

namespace temper {

// Files by their names in a fresh directory.
class WorkDirectory {
  public:
    std::string file(const std::string& name) const { return (directory_ / name).string(); }
    std::string write(const std::string& name, const std::string& text) const { return directory_.put(name, text).string(); }
    std::string read(const std::string& name) const {
        std::ifstream stream(directory_ / name, std::ios::binary);
        std::ostringstream text;
        text << stream.rdbuf();
        return text.str();
    }

  private:
    TemporaryDirectory directory_;
};

struct Outcome {
    int code = -1;
    std::string out, err;
    Json last_object() const {
        const std::size_t end = out.find_last_not_of('\n');
        const std::size_t begin = out.rfind('\n', end);
        return Json::parse(out.substr(begin == std::string::npos ? 0 : begin + 1));
    }
};

// `arguments` is shell text.
inline Outcome run_temper(const std::string& arguments, const std::string& environment = "") {
    const WorkDirectory work;
    const std::string command =
        environment + " '" TEMPER_BINARY "' " + arguments + " >'" + work.file("out") + "' 2>'" + work.file("err") + "' </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, work.read("out"), work.read("err")};
}

}  // namespace temper
