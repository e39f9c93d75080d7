#include "io/jinja/arguments.h"

#include <algorithm>
#include <cassert>

#include "io/jinja/operators.h"

namespace temper::jinja {

std::optional<Value> Arguments::pop(std::string_view name) {
    const auto found = std::ranges::find_if(named, [&](const auto& argument) { return *argument.first == name; });
    if (found == named.end()) return std::nullopt;
    Value value = std::move(found->second);
    named.erase(found);
    return value;
}

Bound::Bound(std::string_view function, const Arguments& given, std::initializer_list<std::string_view> parameters, std::size_t required)
    : function_(function) {
    assert(parameters.size() <= most);
    if (given.positional.size() > parameters.size())
        fail("{} takes at most {} argument(s), {} given", function, parameters.size(), given.positional.size());
    for (std::size_t i = 0; i < given.positional.size(); ++i) values_[i] = &given.positional[i];
    for (const auto& [name, value] : given.named) {
        const auto* found = std::ranges::find(parameters, std::string_view(*name));
        if (found == parameters.end()) fail("{} takes no argument named '{}'", function, *name);
        const Value*& slot = values_[static_cast<std::size_t>(found - parameters.begin())];
        if (slot) fail("{} got two values for '{}'", function, *name);
        slot = &value;
    }
    for (std::size_t i = 0; i < required; ++i)
        if (!values_[i]) fail("{} needs {} argument(s)", function, required);
}

std::int64_t Bound::integer(std::size_t parameter, std::int64_t otherwise) const {
    const Value* value = values_[parameter];
    if (!value) return otherwise;
    if (value->is_undefined()) fail("{}", value->as<Undefined>()->message());
    if (!value->is_integer()) fail("{}: expected an integer, found '{}'", function_, value->type_name());
    return value->integer();
}

bool Bound::truth(std::size_t parameter, bool otherwise) const { return values_[parameter] ? truthy(*values_[parameter]) : otherwise; }

const std::string& Bound::text(std::size_t parameter) const {
    const Value& value = *values_[parameter];
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (!value.is_text()) fail("{}: expected a text, found '{}'", function_, value.type_name());
    return value.text_bytes();
}

const std::string* Bound::optional_text(std::size_t parameter) const {
    if (!values_[parameter] || values_[parameter]->is_none()) return nullptr;
    return &text(parameter);
}

}  // namespace temper::jinja
