#include "runs/trackers/metric_stream.h"

#include <cmath>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "io/durable.h"
#include "io/json_text.h"
#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::size_t chunk = std::size_t(256) << 10, longest_line = std::size_t(16) << 20;

std::string read_at(const std::filesystem::path& path, std::int64_t offset, std::size_t count) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return {};  // a run that has logged nothing yet
    std::string bytes(count, '\0');
    const ssize_t got = ::pread(file, bytes.data(), count, offset);
    ::close(file);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
}

std::string short_hash(std::string_view text) { return sha256_hex(text).substr(0, 16); }

void add_points(const Json& value, const std::string& name, std::vector<std::pair<std::string, double>>& figures) {
    if (value.is_object()) {
        for (const auto& [key, member] : value.items()) add_points(member, name + "/" + key, figures);
    } else if (value.is_null()) {
        figures.emplace_back(name, std::numeric_limits<double>::quiet_NaN());
    } else if (value.is_number()) {
        figures.emplace_back(name, value.get<double>());
    }
}

}  // namespace

bool is_measured(const std::string& name) { return name.ends_with("_per_second") || name.ends_with("seconds") || name.ends_with("_runtime"); }

struct MetricStream::Row {
    std::int64_t step = -1, kind = 0;  // an evaluation's row follows the row of its step
    std::vector<std::pair<std::string, double>> computed, measured;
    std::string figures_hash;

    Row(const Json& json, std::int64_t number) {
        const bool has_step = json.is_object() && json.contains("step") && json["step"].is_number_integer();
        step = has_step ? json["step"].get<std::int64_t>() : number;
        std::string text;
        if (!json.is_object()) return;
        for (const auto& [name, value] : json.items()) {
            if (name == "step" && has_step) continue;
            if (name.starts_with("eval_")) kind = 1;
            add_points(value, name, is_measured(name) ? measured : computed);
            if (!is_measured(name)) text += name + json_text(value);
        }
        if (kind == 1) std::erase_if(computed, [](const auto& figure) { return figure.first == "epoch"; });  // the row of its step has it
        figures_hash = short_hash(text);
    }
};

MetricStream::MetricStream(std::filesystem::path journal, Part part, const Json& place) : journal_(std::move(journal)), part_(part) {
    if (place.is_null()) return;
    const auto number = [&](const char* name, std::int64_t otherwise) {
        return place.contains(name) && place[name].is_number_integer() ? place[name].get<std::int64_t>() : otherwise;
    };
    const auto text = [&](const char* name) { return place.contains(name) && place[name].is_string() ? place[name].get<std::string>() : ""; };
    if (!place.is_object() || number("bytes", -1) < 0)
        throw_error(ExitCode::bad_data, "a tracker's place in {} is no place: {}", journal_.string(), place.dump());
    bytes_ = number("bytes", 0);
    rows_ = number("rows", 0);
    line_bytes_ = number("line_bytes", 0);
    step_ = number("step", -1);
    kind_ = number("kind", 0);
    known_step_ = number("known_step", -1);
    known_kind_ = number("known_kind", 0);
    line_hash_ = text("line");
    figures_hash_ = text("figures");
    if (bytes_ == 0 || place_holds()) return;
    // The journal was cut back since, and perhaps grew again: from the start, passing over what was given out.
    bytes_ = rows_ = line_bytes_ = 0;
    line_hash_.clear();
    known_step_ = step_;
    known_kind_ = kind_;
}

bool MetricStream::place_holds() {
    if (line_bytes_ <= 0 || line_bytes_ > bytes_ || line_bytes_ > static_cast<std::int64_t>(longest_line)) return false;
    const std::string line = read_at(journal_, bytes_ - line_bytes_, static_cast<std::size_t>(line_bytes_));
    return line.size() == static_cast<std::size_t>(line_bytes_) && short_hash(line) == line_hash_;
}

Json MetricStream::place() const {
    Json place{{"bytes", bytes_}, {"rows", rows_}, {"line_bytes", line_bytes_}, {"line", line_hash_}, {"figures", figures_hash_},
               {"step", step_},   {"kind", kind_}};
    if (known_step_ >= 0) {
        place["known_step"] = known_step_;
        place["known_kind"] = known_kind_;
    }
    return place;
}

// The next whole line into line_, its end included.
bool MetricStream::read_line(std::int64_t end) {
    if (bytes_ < buffered_from_ || bytes_ > buffered_from_ + static_cast<std::int64_t>(buffer_.size())) {
        buffer_.clear();
        buffered_from_ = bytes_;
    }
    while (true) {
        const auto used = static_cast<std::size_t>(bytes_ - buffered_from_);
        const std::size_t newline = buffer_.find('\n', used);
        if (newline != std::string::npos) {
            line_ = buffer_.substr(used, newline + 1 - used);
            return bytes_ + static_cast<std::int64_t>(line_.size()) <= end;
        }
        buffer_.erase(0, used);
        buffered_from_ = bytes_;
        if (buffer_.size() > longest_line)
            throw_error(ExitCode::bad_data, "{}: a line of more than {} bytes after byte {}", journal_.string(), longest_line, bytes_);
        const std::string more = read_at(journal_, buffered_from_ + static_cast<std::int64_t>(buffer_.size()), chunk);
        if (more.empty()) return false;
        buffer_ += more;
    }
}

bool MetricStream::is_known(const Row& row) {
    if (known_step_ < 0) return false;
    const auto position = std::pair(row.step, row.kind), known = std::pair(known_step_, known_kind_);
    if (position == known && row.figures_hash != figures_hash_) contradicted_ = true;
    if (position >= known) {
        known_step_ = -1;  // of the rows that follow none was given out
        known_kind_ = 0;
    }
    return position <= known;
}

void MetricStream::take(const Row& row, std::vector<Point>& points, std::int64_t time) {
    for (const auto& [name, value] : part_ == Part::measured ? row.measured : row.computed) points.push_back({name, row.step, value, time});
    step_ = row.step;
    kind_ = row.kind;
    figures_hash_ = row.figures_hash;
}

std::vector<Point> MetricStream::next(std::size_t enough, std::int64_t end, const RowTimes& times, std::int64_t otherwise) {
    std::vector<Point> points;
    while (points.size() < enough && read_line(end)) {
        const std::string_view text = std::string_view(line_).substr(0, line_.size() - 1);
        const bool blank = text.find_first_not_of(" \t\r") == std::string_view::npos;
        std::optional<Row> row;
        if (!blank) row.emplace(parse_json(text, fmt::format("{}:{}", journal_.string(), rows_ + 1)), rows_);
        bytes_ += static_cast<std::int64_t>(line_.size());
        ++rows_;
        line_bytes_ = static_cast<std::int64_t>(line_.size());
        line_hash_ = short_hash(line_);
        if (row && !is_known(*row)) take(*row, points, times.of_row_ending(bytes_, otherwise));
    }
    return points;
}

}  // namespace temper
