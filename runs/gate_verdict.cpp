#include "runs/gate_verdict.h"

#include "io/durable.h"
#include "io/json_text.h"
#include "kernels/error.h"

namespace temper {
namespace {

constexpr const char* kind = "temper gate verdict";

std::string seal_of(const Json& verdict) { return sha256_hex(json_text(verdict)); }

}  // namespace

Json sealed_verdict(Json verdict) {
    Json sealed{{"kind", kind}, {"format_version", 1}};
    for (auto& [name, value] : verdict.items())
        if (name != "sha256") sealed[name] = value;
    // As a reader will see it: text that is no UTF-8 is replaced before the hash is taken.
    sealed = Json::parse(json_text(sealed));
    sealed["sha256"] = seal_of(sealed);
    return sealed;
}

Json read_verdict(const std::filesystem::path& path) {
    Json verdict = parse_json(read_file(path, std::size_t(64) << 20), path.string(), {std::size_t(64) << 20, 64});
    if (!verdict.is_object() || verdict.value("kind", Json()) != kind) {
        throw_error(ExitCode::bad_data, "{}: no verdict of a gate, expected what temper gate --verdict writes", path.string());
    }
    if (verdict.value("format_version", Json()) != 1) {
        throw_error(ExitCode::bad_data, "{}: format_version {}, expected 1; it was written by another version of temper", path.string(),
                    verdict.value("format_version", Json()).dump());
    }
    const Json seal = verdict.value("sha256", Json());
    verdict.erase("sha256");
    if (seal != seal_of(verdict)) {
        throw_error(ExitCode::bad_data, "{}: its sha256 is not that of its content: it was changed after the gate wrote it; run the gate again",
                    path.string());
    }
    if (!verdict.value("passed", Json()).is_boolean() || !verdict.value("record", Json()).is_object())
        throw_error(ExitCode::bad_data, "{}: no \"passed\" or no \"record\" in it, expected both", path.string());
    verdict["sha256"] = seal;
    return verdict;
}

}  // namespace temper
