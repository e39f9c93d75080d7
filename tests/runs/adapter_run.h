// A finished run with an adapter of any bytes, as temper sft leaves one.
#pragma once
#include <filesystem>
#include <string>

#include "io/durable.h"
#include "runs/run_directory.h"
#include "runs/run_record.h"

namespace temper {

inline std::filesystem::path make_adapter_run(const std::filesystem::path& output_dir, const std::string& name, const std::string& bytes) {
    const RunDirectory run = RunDirectory::create(output_dir, name, "hash of " + bytes);
    std::filesystem::create_directories(run.adapter());
    write_durable(run.adapter() / "adapter_model.safetensors", bytes);
    RunRecord record = RunRecord::open(run.record());
    record.set_config(Json{{"model", "models/tiny"}}, "hash of " + bytes);
    record.add_artifact("adapter", run.adapter() / "adapter_model.safetensors");
    record.set_status(RunStatus::finished);
    record.save();
    return run.path();
}

}  // namespace temper
