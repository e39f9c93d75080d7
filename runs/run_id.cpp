#include "runs/run_id.h"

namespace temper {
namespace {

constexpr const char* digits = "0123456789";

bool only(const std::string& text, std::size_t begin, std::size_t end, const char* allowed) {
    const std::size_t wrong = text.find_first_not_of(allowed, begin);
    return wrong == std::string::npos || wrong >= end;
}

}  // namespace

bool is_run_id(const std::string& text) {
    const std::size_t last = text.rfind('-');
    if (text.size() < 27 || last == std::string::npos || last < 18 || last + 9 != text.size()) return false;
    if (!only(text, last + 1, text.size(), "0123456789abcdef")) return false;
    if (text[8] != 'T' || text[15] != 'Z' || text[16] != '-' || text[17] == '.' || text[17] == '_' || text[17] == '-') return false;
    return only(text, 0, 8, digits) && only(text, 9, 15, digits) &&
           only(text, 17, last, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
}

}  // namespace temper
