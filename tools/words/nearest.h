// The word that somebody meant: for "did you mean".
#ifndef CAMBIUM_TOOLS_WORDS_NEAREST_H_
#define CAMBIUM_TOOLS_WORDS_NEAREST_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cambium::words {

// The number of insertions, deletions and replacements between two words.
size_t EditDistance(std::string_view a, std::string_view b);

// The one of `known` with the least distance from `word`, the first in order where several have
// it; empty where `known` is.
std::string Nearest(const std::vector<std::string>& known, std::string_view word);

}  // namespace cambium::words

#endif  // CAMBIUM_TOOLS_WORDS_NEAREST_H_
