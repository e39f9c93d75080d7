// robots.txt as RFC 9309 has it.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

class Robots {
  public:
    // The rules for one robot: the groups that name it, else those for '*'. Lines that mean nothing are passed over; what stands behind the first 500 KiB
    // is not read.
    Robots(std::string_view text, std::string_view user_agent);
    // `target` is path and query, "/a?b". The longest rule decides, allow where two are equal; /robots.txt is always allowed.
    bool allows(std::string_view target) const;
    std::optional<double> crawl_delay() const { return crawl_delay_; }  // seconds

  private:
    struct Rule {
        std::string pattern;
        bool allow = false;
    };
    std::vector<Rule> rules_;
    std::optional<double> crawl_delay_;
};

// '*' stands for anything, '$' at the end for the end; else the pattern is a beginning of the target. Escapes (%41) are compared as what they stand for.
bool matches_robots_rule(std::string_view pattern, std::string_view target);

}  // namespace temper
