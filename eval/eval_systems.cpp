#include "eval/eval_systems.h"

#include <algorithm>
#include <set>

#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"

namespace temper {

template <class Visitor> void describe(Visitor& v, EvalSystem& system) {
    v("name", system.name, "Its name in the comparison.", not_empty());
    v("model", system.model, "Model; the matrix's unless given.");
    v("adapter", system.adapter, "PEFT adapter directory.");
    v("run", system.run, "Directory of an earlier run of these sets: its answers, graded anew.");
    v("system", system.system, "System message, in place of the set's and the rows' own.");
    v("prompt", system.prompt, "Jinja template of the prompt over a row's fields, in place of the set's.");
    v("prompt_file", system.prompt_file, "File of such a template.");
}

template <class Visitor> void describe(Visitor& v, EvalMatrix& matrix) {
    v("model", matrix.model, "Model of systems that name none.");
    v("sets", matrix.sets, "Files of evaluation sets.", not_empty());
    v.records("systems", matrix.systems, "name", "What is compared.");
    v("baseline", matrix.baseline, "System that the others are compared with; the first one unless given.");
}

namespace {

Fields fields_of(EvalMatrix& matrix) {
    Fields fields;
    describe(fields, matrix);
    return fields;
}

std::string beside(const std::filesystem::path& file, const std::string& path) {
    return std::filesystem::path(path).is_absolute() ? path : (file.parent_path() / path).string();
}

}  // namespace

int EvalMatrix::baseline_index() const {
    for (std::size_t i = 0; i < systems.size(); ++i)
        if (systems[i].name == baseline) return static_cast<int>(i);
    return -1;
}

Json EvalMatrix::json() const {
    EvalMatrix copy = *this;  // fields are bound to a value that they could change
    return settings_json(fields_of(copy));
}

EvalMatrix load_eval_matrix(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
    EvalMatrix matrix;
    Settings settings(fields_of(matrix));
    settings.apply_yaml(read_file(file, std::size_t(1) << 20), file.string());
    for (const std::string& assignment : overrides) settings.apply_override(assignment);
    const auto refuse = [&](const char* field, const std::string& what) {
        throw_error(ExitCode::usage, "{}: {}: {}", settings.was_set(field) ? settings.where(field) : file.string(), field, what);
    };
    if (matrix.sets.empty()) refuse("sets", "missing: the files of the evaluation sets");
    if (matrix.systems.empty()) refuse("systems", "missing: what is compared");
    for (std::string& set : matrix.sets) set = beside(file, set);
    std::set<std::string> names;
    for (EvalSystem& system : matrix.systems) {
        if (system.name.empty() || system.name.find_first_of("/\\ \t\n") != std::string::npos || system.name.starts_with('.'))
            refuse("systems", "expected plain names, found '" + system.name + "'");
        if (!names.insert(system.name).second) refuse("systems", "two of the name " + system.name);
        if (system.model.empty()) system.model = matrix.model;
        if (!system.run.empty() && (!system.adapter.empty() || system.system || system.prompt || system.prompt_file))
            refuse("systems", system.name + ": run is given, whose answers need no adapter and no prompt");
        if (system.run.empty() && system.model.empty()) refuse("systems", system.name + ": no model");
        if (system.prompt && system.prompt_file) refuse("systems", system.name + ": prompt and prompt_file");
        if (system.prompt_file) system.prompt = read_file(*system.prompt_file = beside(file, *system.prompt_file), std::size_t(1) << 20);
    }
    if (matrix.baseline.empty()) matrix.baseline = matrix.systems.front().name;
    if (matrix.baseline_index() < 0) refuse("baseline", "no system of the name " + matrix.baseline);
    return matrix;
}

}  // namespace temper
