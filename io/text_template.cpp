#include "io/text_template.h"

#include "io/jinja/ast.h"
#include "io/jinja/interpreter.h"
#include "kernels/error.h"

namespace temper {

struct TextTemplate::Impl {
    std::string source, place;
    jinja::Template parsed;

    [[noreturn]] void refuse(const jinja::Place& at, const char* message) const {
        throw_error(ExitCode::bad_data, "{}: template:{}:{}: {}", place, at.line, at.column, message);
    }
};

TextTemplate::TextTemplate(const std::string& source, std::string place) : impl_(std::make_unique<Impl>()) {
    impl_->source = source;
    impl_->place = std::move(place);
    if (const std::size_t bad = find_invalid_utf8(source); bad != std::string::npos)
        throw_error(ExitCode::bad_data, "{}: template: byte {} is not valid UTF-8", impl_->place, bad);
    try {
        impl_->parsed = jinja::parse_template(source, {.trims = false, .strict = true});
    } catch (const jinja::SyntaxFailure& failure) {
        impl_->refuse(failure.place, failure.what());
    }
}
TextTemplate::TextTemplate(TextTemplate&&) noexcept = default;
TextTemplate& TextTemplate::operator=(TextTemplate&&) noexcept = default;
TextTemplate::~TextTemplate() = default;

const std::string& TextTemplate::source() const { return impl_->source; }

std::string TextTemplate::render(const Json& variables) const {
    jinja::Interpreter::Variables names;
    for (const auto& [name, value] : variables.items()) names.emplace_back(name, jinja::Value::json(value));
    const jinja::Interpreter::Clock clock = [] { return std::time(nullptr); };
    jinja::Interpreter interpreter(impl_->parsed, names, clock);
    try {
        return interpreter.run();
    } catch (const jinja::Failure& failure) {
        impl_->refuse(interpreter.failed_at(), failure.what());
    }
}

}  // namespace temper
