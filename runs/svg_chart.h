// A line chart as inline SVG, coloured by the classes of the page's style sheet.
#pragma once
#include <string>
#include <vector>

namespace temper {

struct ChartPoint {
    double x = 0, y = 0;  // a y that is not finite interrupts the line
};

struct ChartSeries {
    std::string name;
    std::vector<ChartPoint> points;  // rising x
    bool marks = false;              // a dot at each point, for values that are far apart
    bool smooth = false;             // drawn faint, with its running mean over it
};

std::string escape_html(const std::string& text);
std::string compact_number(double value);  // 4 digits: 0.01234, 12.35, 1.2M, 3e-5

// Empty when no series has a finite point. At most four series are told apart by colour.
std::string line_chart(const std::string& title, const std::string& x_name, std::vector<ChartSeries> series);

}  // namespace temper
