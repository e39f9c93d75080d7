#include "eval/part_writer.h"

#include "io/progress.h"

namespace temper {
namespace {

constexpr std::size_t large = std::size_t(4) << 20;
constexpr double late = 5.0;  // seconds: what a killed job may lose

}  // namespace

PartWriter::PartWriter(std::filesystem::path directory, std::int64_t width) : directory_(std::move(directory)), written_(Progress::steady_seconds()) {
    part_.width = width;
}

void PartWriter::add(const PartRows& rows) {
    if (part_.rows() > 0 && rows.first != part_.first + part_.rows()) flush();
    if (part_.rows() == 0) part_.clear(rows.first);
    const auto before = static_cast<std::int64_t>(part_.texts.size());
    part_.fixed += rows.fixed;
    part_.texts += rows.texts;
    for (const std::int64_t end : rows.ends) part_.ends.push_back(before + end);
    part_.totals.tokens += rows.totals.tokens;
    part_.totals.cut += rows.totals.cut;
    if (part_.fixed.size() + part_.texts.size() >= large || Progress::steady_seconds() - written_ >= late) flush();
}

void PartWriter::flush() {
    written_ = Progress::steady_seconds();
    if (part_.rows() == 0) return;
    write_part(directory_, part_);
    part_.clear(part_.first + part_.rows());
}

}  // namespace temper
