// A subcommand's options, declared where it is implemented; command.cpp alone knows the parser behind it.
//   void add_merge(Command& temper) {
//       auto options = std::make_shared<Options>();
//       Command& command = temper.command("merge", "Writes ...");
//       command.required("--model", options->model, "DIR", "Model to merge into.");
//       command.runs([options] { return merge(*options); });
//   }
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace temper {

class Command {
  public:
    Command(const std::string& name, const std::string& summary);
    ~Command();
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    Command& command(const std::string& name, const std::string& summary);
    // `what` stands for the value in the help: "DIR", "N". A default other than empty text is shown.
    void option(const std::string& name, std::string& value, const std::string& what, const std::string& help);
    void option(const std::string& name, std::int64_t& value, const std::string& what, const std::string& help);
    void option(const std::string& name, double& value, const std::string& what, const std::string& help);
    // May be given several times, one value each.
    void options(const std::string& name, std::vector<std::string>& values, const std::string& what, const std::string& help);
    void required(const std::string& name, std::string& value, const std::string& what, const std::string& help);
    void flag(const std::string& name, bool& value, const std::string& help);
    void choice(const std::string& name, std::string& value, const std::vector<std::string>& choices, const std::string& help);
    void positional(const std::string& name, std::string& value, const std::string& help);                 // required
    void positionals(const std::string& name, std::vector<std::string>& values, const std::string& help);  // any number
    void footer(std::function<std::string()> text);                                                        // below the options in the help
    void version(std::function<std::string()> text);
    void runs(std::function<int()> run);

    // Parses and runs the chosen command; its exit code. Help and version go to stdout (0). A usage Error names what is wrong.
    int run(int argc, const char* const* argv);

  private:
    struct Impl;
    explicit Command(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace temper
