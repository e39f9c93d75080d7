// The members of a request's JSON object: each is asked for by name and type, and what nobody asked for is refused by name.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "io/jsonl.h"

namespace temper {

class RequestFields {
  public:
    // 400 unless the body is one JSON object.
    explicit RequestFields(std::string_view body);

    // Null where it is absent or null. What follows refuses other types and values outside the bounds, both included.
    const Json* find(const std::string& name);
    std::optional<double> number(const std::string& name, double least, double most);
    std::optional<std::int64_t> integer(const std::string& name, std::int64_t least, std::int64_t most);
    std::optional<bool> flag(const std::string& name);
    std::optional<std::string> text(const std::string& name);
    std::string required_text(const std::string& name);
    // May be given, and changes nothing.
    void ignore(const std::string& name) { known_.insert(name); }
    // What the server has one way for: refused unless its value asks for just that.
    void only(const std::string& name, std::initializer_list<Json> neutral);
    // Refuses the first member that nobody has asked for.
    void refuse_others();

  private:
    Json body_;
    std::set<std::string> known_;
};

}  // namespace temper
