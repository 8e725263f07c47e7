// Finds the word that a user probably meant, for "did you mean".
#ifndef CAMBIUM_TOOLS_WORDS_NEAREST_H_
#define CAMBIUM_TOOLS_WORDS_NEAREST_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cambium::words {

// Returns the number of insertions, deletions, and replacements between two words.
size_t EditDistance(std::string_view a, std::string_view b);

// Returns the word of `known` with the least distance from `word`, the first one if several have
// it; empty if `known` is empty.
std::string Nearest(const std::vector<std::string>& known, std::string_view word);

}  // namespace cambium::words

#endif  // CAMBIUM_TOOLS_WORDS_NEAREST_H_
