#include "runs/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace temper {
namespace {

constexpr double width = 560, height = 250, left = 58, right = 14, top = 10, bottom = 34;
constexpr std::size_t most_points = 600;  // about one a pixel
constexpr std::size_t most_hints = 120;

struct Range {
    double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
    void include(double value) {
        low = std::min(low, value);
        high = std::max(high, value);
    }
    bool empty() const { return low > high; }
};

// The step of 1, 2 or 5 times a power of ten that cuts the range into about `parts`.
double tick_step(const Range& range, int parts) {
    const double rough = (range.high - range.low) / parts;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= rough) return factor * power;
    }
    return 10.0 * power;
}

// Room for a line that is level, and ends that fall on a tick.
Range rounded(Range range, int parts) {
    if (range.high - range.low <= 1e-12 * std::max(std::abs(range.low), std::abs(range.high))) {
        const double room = range.low == 0 ? 1 : std::abs(range.low) * 0.1;
        range = {range.low - room, range.high + room};
    }
    const double step = tick_step(range, parts);
    return {std::floor(range.low / step + 1e-9) * step, std::ceil(range.high / step - 1e-9) * step};
}

// Keeps the lowest and the highest point of each stretch, so that spikes stay visible.
std::vector<ChartPoint> thinned(const std::vector<ChartPoint>& points) {
    if (points.size() <= most_points) return points;
    std::vector<ChartPoint> kept;
    const std::size_t stretches = most_points / 2;
    for (std::size_t i = 0; i < stretches; ++i) {
        const auto begin = points.begin() + static_cast<std::ptrdiff_t>(i * points.size() / stretches);
        const auto end = points.begin() + static_cast<std::ptrdiff_t>((i + 1) * points.size() / stretches);
        auto [low, high] = std::minmax_element(begin, end, [](const ChartPoint& a, const ChartPoint& b) { return a.y < b.y; });
        if (high < low) std::swap(low, high);
        kept.push_back(*low);
        if (high != low) kept.push_back(*high);
    }
    return kept;
}

// Mean over a window of a tenth of the points, centred, so that it does not lag behind the curve; narrower at the ends.
std::vector<ChartPoint> running_mean(const std::vector<ChartPoint>& points) {
    const std::size_t count = points.size(), half = std::max<std::size_t>(1, count / 20);
    std::vector<double> sum(count + 1, 0), number(count + 1, 0);
    for (std::size_t i = 0; i < count; ++i) {
        const bool counts = std::isfinite(points[i].y);
        sum[i + 1] = sum[i] + (counts ? points[i].y : 0);
        number[i + 1] = number[i] + counts;
    }
    std::vector<ChartPoint> means = points;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t reach = std::min({half, i, count - 1 - i}), begin = i - reach, end = i + reach + 1;
        if (std::isfinite(points[i].y)) means[i].y = (sum[end] - sum[begin]) / (number[end] - number[begin]);
    }
    return means;
}

struct Axes {
    Range x, y;
    double px(double value) const { return left + (value - x.low) / (x.high - x.low) * (width - left - right); }
    double py(double value) const { return height - bottom - (value - y.low) / (y.high - y.low) * (height - top - bottom); }
};

std::string grid(const Axes& axes, const std::string& x_name) {
    std::string svg;
    const double step_y = tick_step(axes.y, 5), step_x = tick_step(axes.x, 6);
    for (double y = std::ceil(axes.y.low / step_y - 1e-9) * step_y; y <= axes.y.high + step_y * 1e-6; y += step_y) {
        svg += fmt::format(
            "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/><text class=\"tick\" x=\"{3}\" y=\"{4:.1f}\" "
            "text-anchor=\"end\">{5}</text>",
            left, width - right, axes.py(y), left - 7, axes.py(y) + 4, compact_number(std::abs(y) < step_y * 1e-6 ? 0 : y));
    }
    for (double x = std::ceil(axes.x.low / step_x - 1e-9) * step_x; x <= axes.x.high + step_x * 1e-6; x += step_x) {
        svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", axes.px(x), height - bottom + 16,
                           compact_number(x));
    }
    svg += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", width - right, height - 3, escape_html(x_name));
    return svg;
}

std::string path(const Axes& axes, const std::vector<ChartPoint>& points, const std::string& style) {
    std::string data;
    bool pen_down = false;
    for (const ChartPoint& point : points) {
        if (!std::isfinite(point.y)) {
            pen_down = false;
            continue;
        }
        data += fmt::format("{}{:.1f} {:.1f}", pen_down ? 'L' : 'M', axes.px(point.x), axes.py(point.y));
        pen_down = true;
    }
    return fmt::format("<path class=\"{}\" d=\"{}\"/>", style, data);
}

std::string dots(const Axes& axes, const std::vector<ChartPoint>& points, std::size_t number) {
    std::string svg;
    for (const ChartPoint& point : points) {
        if (std::isfinite(point.y))
            svg += fmt::format("<circle class=\"d{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", number, axes.px(point.x), axes.py(point.y));
    }
    return svg;
}

// Unseen strips that tell the values under the pointer.
std::string hints(const Axes& axes, const std::string& x_name, const std::vector<ChartSeries>& series) {
    const std::vector<ChartPoint>& points = series[0].points;
    std::string svg;
    const std::size_t stride = points.size() / most_hints + 1;
    const double strip = (width - left - right) / static_cast<double>(std::max<std::size_t>(1, points.size() / stride));
    for (std::size_t i = 0; i < points.size(); i += stride) {
        std::string text = fmt::format("{} {}", x_name, compact_number(points[i].x));
        for (const ChartSeries& one : series) {
            const auto at = std::find_if(one.points.begin(), one.points.end(), [&](const ChartPoint& point) { return point.x >= points[i].x; });
            if (at != one.points.end() && at->x == points[i].x) text += fmt::format("\n{}: {}", one.name, compact_number(at->y));
        }
        svg += fmt::format("<rect class=\"hint\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"><title>{}</title></rect>",
                           axes.px(points[i].x) - strip / 2, top, strip, height - top - bottom, escape_html(text));
    }
    return svg;
}

std::string legend(const std::vector<ChartSeries>& series) {
    std::string html;
    for (std::size_t i = 0; i < series.size(); ++i) {
        double last = std::numeric_limits<double>::quiet_NaN();
        for (const ChartPoint& point : series[i].points) last = std::isfinite(point.y) ? point.y : last;
        html += fmt::format("<span class=\"key k{}\">{} <b>{}</b></span>", i % 4, escape_html(series[i].name), compact_number(last));
    }
    return html;
}

}  // namespace

std::string escape_html(const std::string& text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\t' ? ' ' : c;
        }
    }
    return out;
}

std::string compact_number(double value) {
    if (!std::isfinite(value)) return "not finite";
    const double size = std::abs(value);
    if (size >= 1e9) return fmt::format("{:.4g}G", value / 1e9);
    if (size >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
    if (size >= 1e4) return fmt::format("{:.4g}k", value / 1e3);
    if (size > 0 && size < 1e-3) {
        const int exponent = static_cast<int>(std::floor(std::log10(size) + 1e-9));
        return fmt::format("{:.3g}e{}", value / std::pow(10.0, exponent), exponent);
    }
    return fmt::format("{:.4g}", value);
}

std::string line_chart(const std::string& title, const std::string& x_name, std::vector<ChartSeries> series) {
    Axes axes;
    std::erase_if(series, [](const ChartSeries& one) {
        return std::none_of(one.points.begin(), one.points.end(), [](const ChartPoint& p) { return std::isfinite(p.y); });
    });
    for (const ChartSeries& one : series) {
        for (const ChartPoint& point : one.points) {
            axes.x.include(point.x);
            if (std::isfinite(point.y)) axes.y.include(point.y);
        }
    }
    if (axes.y.empty()) return {};
    axes.y = rounded(axes.y, 5);
    if (axes.x.low == axes.x.high) axes.x = {axes.x.low - 1, axes.x.high + 1};
    std::string svg = fmt::format("<figure><figcaption>{}{}</figcaption><svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
                                  escape_html(title), legend(series), width, height, escape_html(title));
    svg += grid(axes, x_name);
    for (std::size_t i = 0; i < series.size(); ++i) {
        const std::string number = std::to_string(i % 4);
        const bool smooth = series[i].smooth && series[i].points.size() >= 20;
        svg += path(axes, thinned(series[i].points), "s" + number + (smooth ? " faint" : ""));
        if (smooth) svg += path(axes, thinned(running_mean(series[i].points)), "s" + number);
        if (series[i].marks || series[i].points.size() == 1) svg += dots(axes, series[i].points, i % 4);
    }
    return svg + hints(axes, x_name, series) + "</svg></figure>\n";
}

}  // namespace temper
