// Stems of English words.                                  [Porter 1980, "An algorithm for suffix stripping", with the extensions of NLTK 3.9]
#pragma once
#include <string>
#include <string_view>

namespace temper {

std::string porter_stem(std::string_view word);  // of lower-case ASCII letters and digits

}  // namespace temper
