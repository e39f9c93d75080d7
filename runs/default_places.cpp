#include "runs/default_places.h"

#include "io/environment.h"

namespace temper {
namespace {

std::string named_by(const char* variable, const char* otherwise) {
    const std::string folder = environment_text(variable);
    return folder.empty() ? otherwise : folder;
}

}  // namespace

std::string default_output_dir() { return named_by("TEMPER_OUTPUT_DIR", "runs"); }  // as of a configuration's output_dir

std::string default_prompts_dir() { return named_by("TEMPER_PROMPTS", "prompts"); }

}  // namespace temper
